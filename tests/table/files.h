// A temporary folder with the machine's own Io, removed afterwards.
#pragma once

#include "base/io.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace lockstep::test {

class Folder final {
 public:
  Folder() : io_(make_system_io()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
    const char* made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    root_ = pattern;
  }

  ~Folder() { std::filesystem::remove_all(root_); }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  Io& io() { return *io_; }

  std::string path(const std::string& name) const { return root_ + "/" + name; }

  // Without a sync: these files need not survive the machine.
  void write(const std::string& name, std::string_view bytes) {
    std::filesystem::remove(path(name));
    auto file = io_->open(path(name), OpenMode::kCreateNew).value();
    EXPECT_TRUE(file->write_at(0, std::as_bytes(std::span(bytes))).ok());
  }

  std::string read(const std::string& name) {
    return read_file(*io_, path(name), std::uint64_t{1} << 30).value();
  }

 private:
  std::unique_ptr<Io> io_;
  std::string root_;
};

}  // namespace lockstep::test
