SELECT date_trunc('minute', "timestamp") - interval '1' minute * (minute("timestamp") % 5) AS from_time,
  CASE WHEN airqualityindex > 300 THEN 'hazardous' WHEN airqualityindex > 200 THEN 'very unhealthy' ELSE 'unhealthy' END AS level,
  deviceid, count(*) AS readings, max(airqualityindex) AS airqualityindex_max,
  max_by(latitude, airqualityindex) AS latitude, max_by(longitude, airqualityindex) AS longitude
FROM "${database}"."weather_data"
WHERE date = '${date}' AND hour = '${hour}' AND airqualityindex > 150
GROUP BY 1, 2, 3
