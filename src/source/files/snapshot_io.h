// One file as it was at one moment, though it is being written.
#pragma once

#include "base/io.h"

#include <memory>

namespace lockstep {

// An Io that reads through `io`, in which the file at `file.path` ends at `file.size_bytes`. It
// only reads.
std::unique_ptr<Io> make_snapshot_io(Io& io, const FileInfo& file);

}  // namespace lockstep
