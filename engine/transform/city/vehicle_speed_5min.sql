WITH steps AS (
  SELECT deviceid, "timestamp" AS seen_at, speed, latitude, longitude,
    date_trunc('minute', "timestamp") - interval '1' minute * (minute("timestamp") % 5) AS from_time,
    lag(latitude) OVER (PARTITION BY deviceid ORDER BY "timestamp", kafka_offset) AS latitude0,
    lag(longitude) OVER (PARTITION BY deviceid ORDER BY "timestamp", kafka_offset) AS longitude0
  FROM "${database}"."vehicle_data"
  WHERE date = '${date}' AND hour = '${hour}'
),
legs AS (
  SELECT deviceid, seen_at, speed, latitude, longitude, from_time,
    2 * 6371.0088 * asin(sqrt(least(1.0,
      power(sin(radians(latitude - latitude0) / 2), 2)
      + cos(radians(latitude0)) * cos(radians(latitude)) * power(sin(radians(longitude - longitude0) / 2), 2)))) AS km
  FROM steps
)
SELECT deviceid, from_time, count(*) AS readings, avg(speed) AS speed_avg, max(speed) AS speed_max,
  coalesce(sum(km), 0) AS distance_km, max_by(latitude, seen_at) AS latitude, max_by(longitude, seen_at) AS longitude
FROM legs
GROUP BY deviceid, from_time
