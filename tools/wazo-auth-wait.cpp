// Waits until the REST API listens: docs/spec/config.md section 3.4.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tool.h"

namespace {

bool listens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace wazoauth;
  return tool::main("wazo-auth-wait", [&] {
    tool::refuse_words({argv + 1, argv + argc});
    const Json port = tool::load_settings("/etc/wazo-auth/config.yml").tree.get("rest_api").get("port");
    if (!port.is_integer() || port.integer() < 1 || port.integer() > 65535)
      throw std::runtime_error("rest_api.port isn't a port");
    for (int tries = 0; tries < 60; ++tries) {
      if (listens(static_cast<int>(port.integer()))) return 0;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    throw std::runtime_error("nothing listens on port " + std::to_string(port.integer()) + " after 60 seconds");
  });
}
