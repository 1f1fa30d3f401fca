// Package fleet says what vehicles do: where they drive, when, and which records they send on the way.
//
// A fleet is a stand-in for a city's sensors that must be as exact as a test: the records of a drive follow from a few numbers, so
// that a drive broken off by a crash can be driven again to the same bytes, and what has arrived in the topics can be told from what is
// missing. Hence
//
//   - every reading is drawn from a generator that is seeded with (seed, drive, vehicle, step) and from nothing else. The generator
//     is written out here, and positions and measures are whole numbers of their last decimal, because neither the library's
//     generators nor floating point (fused on some machines) promise the same bytes everywhere and for ever;
//   - the id of a record is its place (drive, vehicle, step, kind), enciphered into the shape of a random UUID. Ids of one seed never
//     meet, and an id found in a topic tells whose it is: what a drive has sent is one bit a record (Sent), not a set of ids;
//   - a vehicle is a small value without pointers, so that a hundred thousand fit one process.
//
// The package is pure: it reads no clock and does no IO. Package fleet/drivestate remembers a drive over restarts.
package fleet
