SELECT weathercondition, count(*) AS readings,
  min(temperature) AS temperature_min, avg(temperature) AS temperature_avg, max(temperature) AS temperature_max,
  avg(precipitation) AS precipitation_avg, avg(windspeed) AS windspeed_avg, max(windspeed) AS windspeed_max,
  avg(humidity) AS humidity_avg, avg(airqualityindex) AS airqualityindex_avg
FROM "${database}"."weather_data"
WHERE date = '${date}' AND hour = '${hour}'
GROUP BY weathercondition
