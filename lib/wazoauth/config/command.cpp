#include "wazoauth/config/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the linkage
}

#include <algorithm>
#include <cerrno>
#include <system_error>

extern char** environ;

namespace wazoauth {
namespace {

constexpr std::size_t max_output = 1 << 20;
using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// nginx's handler for SIGCHLD waits for any child and would take our exit status.
class WithoutChildSignal {
 public:
  WithoutChildSignal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~WithoutChildSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WithoutChildSignal(const WithoutChildSignal&) = delete;
  WithoutChildSignal& operator=(const WithoutChildSignal&) = delete;

 private:
  sigset_t before_;
};

pid_t spawn(const std::vector<std::string>& arguments, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw CommandNotFound(std::system_category().message(error));
  return pid;
}

bool readable_before(int fd, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd item{fd, POLLIN, 0};
    const int count = poll(&item, 1, static_cast<int>(std::max<long>(left, 0)));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

std::string read_all(int fd, Clock::time_point deadline) {
  std::string output;
  char buffer[4096];
  for (;;) {
    if (!readable_before(fd, deadline)) throw std::runtime_error("took too long");
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count == 0) return output;
    if (count < 0) throw std::system_error(errno, std::system_category(), "its output");
    output.append(buffer, count);
    if (output.size() > max_output) throw std::runtime_error("wrote more than 1 MiB");
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), "its exit status");
  }
  return status;
}

std::string collect(pid_t pid, int output, Clock::time_point deadline) {
  try {
    std::string text = read_all(output, deadline);
    const Descriptor process(pidfd_open(pid, 0));
    if (process.get() < 0) throw std::system_error(errno, std::system_category(), "its process");
    if (!readable_before(process.get(), deadline)) throw std::runtime_error("took too long");
    return text;
  } catch (...) {
    kill(-pid, SIGKILL);
    wait_for(pid);
    throw;
  }
}

}  // namespace

std::string run_command(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category(), "no pipe");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  const WithoutChildSignal blocked;
  const pid_t pid = spawn(arguments, writing.get());
  writing.close();
  std::string output = collect(pid, reading.get(), deadline);
  const int status = wait_for(pid);
  if (WIFSIGNALED(status)) throw std::runtime_error("was killed by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) {
    throw std::runtime_error("ended with status " + std::to_string(WEXITSTATUS(status)));
  }
  return output;
}

}  // namespace wazoauth
