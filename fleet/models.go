package fleet

// model is what is built; a vehicle has one for good.
type model struct {
	maker, name, fuel string
	kind              string // private or public
	year              int64
}

var models = [...]model{
	{"BMW", "C500", "Hybrid", "private", 2024},
	{"Ford", "Fiesta", "Petrol", "private", 2019},
	{"Ford", "Transit", "Diesel", "private", 2021},
	{"Vauxhall", "Corsa", "Petrol", "private", 2020},
	{"Volkswagen", "Golf", "Diesel", "private", 2018},
	{"Nissan", "Leaf", "Electric", "private", 2022},
	{"Tesla", "Model 3", "Electric", "private", 2023},
	{"Toyota", "Yaris", "Hybrid", "private", 2022},
	{"Toyota", "Prius", "Hybrid", "public", 2020},
	{"Land Rover", "Discovery", "Diesel", "private", 2017},
	{"LEVC", "TX", "Hybrid", "public", 2023},
	{"Alexander Dennis", "Enviro400", "Diesel", "public", 2016},
	{"Wrightbus", "Electroliner", "Electric", "public", 2024},
}

// What is seen near the road.
var (
	coldWeather = []string{"Sunny", "Cloud", "Rain", "Snow"}
	warmWeather = []string{"Sunny", "Cloud", "Rain"}
)

// emergency is a type of incident and what is said of it.
type emergency struct {
	name         string
	descriptions []string
}

// noEmergency stands for nothing having happened, which is resolved by nature.
var noEmergency = emergency{"None", []string{"Nothing to report"}}

var emergencies = []emergency{
	{"Accident", []string{"Two cars collided at a junction", "A lorry lies across two lanes", "A car left the road"}},
	{"Fire", []string{"A car is on fire", "Smoke over a building by the road", "Grass burns on the verge"}},
	{"Medical", []string{"A driver feels unwell", "A passenger needs an ambulance", "A pedestrian has fallen"}},
	{"Police", []string{"A car drives on the wrong side", "A lane is closed by the police", "An abnormal load is escorted"}},
}
