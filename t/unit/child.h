// Another process of a test, for what several of them share.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "check.h"

// Its exit says what `work` returned.
inline pid_t spawn(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  assert_true(child > 0);
  return child;
}

inline bool succeeded(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
