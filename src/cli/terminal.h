// Where the user is: standard input, output and error as one object, so that tests can be the
// terminal.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

// Resource; one thread at a time. Standard output carries data, standard error carries talk.
class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual bool input_is_terminal() const = 0;
  virtual bool output_is_terminal() const = 0;
  virtual bool error_is_terminal() const = 0;
  virtual int width() const = 0;  // columns of the terminal; 80 when there is none

  // kIo when the reader has gone or the disk is full: data that does not arrive is a failure.
  virtual Result<void> write_output(std::string_view text) = 0;
  // Talk: when it cannot be written there is nobody to tell.
  virtual void write_error(std::string_view text) = 0;
  // One line of input, without its end. kInterrupted at the end of the input.
  virtual Result<std::string> read_line() = 0;
};

std::unique_ptr<Terminal> make_system_terminal();

}  // namespace lockstep
