// A bucket as a disk that is only read: the bucket's objects are the files below /, by their keys.
#pragma once

#include "base/io.h"
#include "source/files/object_store.h"

#include <memory>

namespace lockstep {

// A store tells times by the second, so an object that is written twice within one could look
// unchanged: of an object younger than a minute the ETag is compared too, and its time moved on by
// a microsecond when only that has changed. A file that is read notices when its object is
// replaced: the read fails, and the object is read again as it is then.
std::unique_ptr<Io> make_object_store_io(Io& io, std::unique_ptr<ObjectStore> store);

}  // namespace lockstep
