// Threads, and what to do without one: a system may refuse the next one at any moment (`ulimit -u`, a container's limit
// of processes, systemd's TasksMax, memory).
#pragma once

#include <functional>
#include <thread>

namespace wazoauth {

// Not joinable: the system has none to spare. The log says so at [emerg], at most once a second; ask again later.
// No signal is delivered to the thread. The name has 15 characters at most.
std::thread start_thread(const char* name, std::function<void()> work);

}  // namespace wazoauth
