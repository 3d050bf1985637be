// What happens when there is no memory.
#pragma once

namespace lockstep {

// From now on an allocation that fails ends the process with a message and exit code 1, as a power
// loss would end it: nothing runs on half-made values, and the next start recovers the hub from
// what is durable. Libraries that allocate by themselves (SQLite, Arrow) report an error instead.
void end_when_out_of_memory();

}  // namespace lockstep
