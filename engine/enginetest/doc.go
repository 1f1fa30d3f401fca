// Package enginetest holds what tests of the engine share: for each port a suite of tests, which says exactly what the port's
// comments promise, and a fake, a small thing in memory that works.
//
// Fakes and real adapters pass the same suite, so that what is proved with a fake holds for the real thing. Only tests import it.
package enginetest
