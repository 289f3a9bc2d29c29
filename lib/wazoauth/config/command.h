// Commands whose output is a configuration value (`!exec`).
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace wazoauth {

struct CommandNotFound : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The standard output of a program that is found in PATH and run without a shell; its input is empty, its error output
// dropped. Throws CommandNotFound when it can't be run; std::runtime_error when it ends with a status other than 0,
// writes more than 1 MiB or isn't done within `limit`: then it is killed, with its children.
std::string run_command(const std::vector<std::string>& arguments, std::chrono::milliseconds limit);

}  // namespace wazoauth
