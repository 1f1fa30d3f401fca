WITH emergencies AS (
  SELECT id, incidentid, type, "timestamp" AS seen_at, date_trunc('minute', "timestamp") AS at_minute, latitude, longitude, description, deviceid
  FROM "${database}"."emergency_data"
  WHERE date = '${date}' AND hour = '${hour}' AND status = 'Active' AND type <> 'None'
),
vehicles AS (
  SELECT deviceid, "timestamp" AS seen_at, date_trunc('minute', "timestamp") AS at_minute, latitude, longitude, speed, make
  FROM "${database}"."vehicle_data"
  WHERE date = '${date}' AND hour = '${hour}'
),
distances AS (
  SELECT e.id, v.deviceid, v.make,
    2 * 6371.0088 * asin(sqrt(least(1.0,
      power(sin(radians(v.latitude - e.latitude) / 2), 2)
      + cos(radians(e.latitude)) * cos(radians(v.latitude)) * power(sin(radians(v.longitude - e.longitude) / 2), 2)))) AS km
  FROM emergencies e
  JOIN vehicles v ON v.at_minute = e.at_minute
  WHERE v.deviceid <> e.deviceid
),
ranked AS (
  SELECT id, deviceid, make, km, row_number() OVER (PARTITION BY id ORDER BY km, deviceid) AS place
  FROM distances
),
reporters AS (
  SELECT deviceid, seen_at, max(speed) AS speed, max(make) AS make
  FROM vehicles
  GROUP BY deviceid, seen_at
)
SELECT e.incidentid, e.type, e.seen_at AS reported_at, e.latitude, e.longitude, e.description, e.deviceid, r.make, r.speed,
  n.deviceid AS nearest_deviceid, n.make AS nearest_make, n.km AS nearest_km
FROM emergencies e
LEFT JOIN reporters r ON r.deviceid = e.deviceid AND r.seen_at = e.seen_at
LEFT JOIN ranked n ON n.id = e.id AND n.place = 1
