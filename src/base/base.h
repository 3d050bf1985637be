// Base: what every layer stands on. Errors as values, configuration with its places, the outside
// world behind one interface, hashes and functions whose bits are the same on every machine.
//
// Promises, cited by number in asserts and tests:
//
//   base-1  A failure is a Result, never an exception, and carries what happened with the name of
//           its object, why, and (as `hint`) the user's next step. No library's exception passes a
//           function of this layer. An assertion means our own bug and ends the process; no input,
//           however hostile, reaches one.
//   base-2  Everything that touches files, clock, random numbers, environment and local sockets
//   goes
//           through an Io. Its observer is told before each file operation and may make it fail.
//   base-3  What File::sync, Io::rename and Io::make_directories have returned from survives a
//   crash
//           of the machine. What was not synced may be lost or torn; SimulatedIo::crash does both.
//   base-4  write_file_atomically leaves the old bytes or the new ones under the name, never a
//           mixture, whatever fails and whenever the process dies.
//   base-5  At most one holder of a lock on a path, in this process and all others on the machine;
//           the lock of a dead process is free.
//   base-6  A configuration is read strictly: no aliases, tags, duplicate names, control characters
//           or invalid UTF-8, at most 4 MiB and 32 levels. Every mistake names file, line and
//           column.
//   base-7  Node::json is canonical: the same tree gives the same text, and reading that text gives
//           the same text again.
//   base-8  exact_* give the same bits on every machine and in every build, within 2 units in the
//           last place of the true value. A golden hash over a sweep is part of the tests.
//   base-9  hash64, sha256 and KeyedHash never change: what they gave is stored in hubs.
//   base-10 A simulation depends on its seed alone: same seed, same bytes, times and losses (as
//   long
//           as one thread uses it).
//
// What this layer does not do: no network beyond local sockets, no time zones or calendars, no
// parsing of numbers from data (the sources do that), no secrets: it neither stores nor logs them.
//
// Example (compiled as tests/base/base_test.cpp):
//
//   Result<std::int64_t> rows_of(Io& io, const std::string& path) {
//     const std::string text = TRY_IN(read_file(io, path, 1 << 20), "reading the configuration");
//     const Node node = TRY(parse_yaml(text, path));
//     const Node* rows = node.find("rows");
//     if (rows == nullptr) return invalid_at(node.mark, "'rows' is missing", "add 'rows: 1000'");
//     return rows->integer("'rows'");
//   }
//
// Units are in the names: _us microseconds, _bytes bytes. Wall time is microseconds since 1970,
// UTC.
//
// This header is for readers and for those who need most of it; a file that needs one part includes
// that part. Threads: each class says in its comment how many may use it.
#pragma once

#include "base/config.h"      // IWYU pragma: export
#include "base/exact_math.h"  // IWYU pragma: export
#include "base/hash.h"        // IWYU pragma: export
#include "base/io.h"          // IWYU pragma: export
#include "base/log.h"         // IWYU pragma: export
#include "base/signals.h"     // IWYU pragma: export
#include "base/thread.h"      // IWYU pragma: export
