// The source of type `files`: files of a folder, found by patterns, that grow or are replaced.
//
// Files are read in the order of their modification time, then of their name, and one that was
// begun is finished first. A file whose size and time are as they were is not opened. Else its text
// is hashed as far as it was read: the same hash means that it has grown, and reading goes on
// there. What else has a known name is other content:
//
//   append   it is refused: an error that names it, once all other files are read
//   upsert   it is read again from its start; each row becomes the row of its key
//   mirror   its rows, whole in one batch, replace all that it gave before; so does its vanishing,
//   with none
//
// What cannot be read at all becomes one refusal at stage "decode", position "file", and is not
// tried again before it changes. A file without a byte has no rows yet; mirrored, it has none.
//
// A dataset without a key gets columns `_file` (a hash of the file's name) and `_row` (the record's
// number) in front. A column that the dataset has and a file lacks makes the file unreadable; one
// that only the file has is left out.
#pragma once

#include "source/source.h"

#include <memory>

namespace lockstep {

Result<std::unique_ptr<Source>> make_files_source(Io& io, const SourceRequest& request);

}  // namespace lockstep
