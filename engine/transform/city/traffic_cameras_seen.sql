SELECT cameraid, count(*) AS readings, count(DISTINCT deviceid) AS vehicles,
  min("timestamp") AS first_seen, max("timestamp") AS last_seen,
  max_by(latitude, "timestamp") AS latitude, max_by(longitude, "timestamp") AS longitude
FROM "${database}"."traffic_data"
WHERE date = '${date}' AND hour = '${hour}'
GROUP BY cameraid
