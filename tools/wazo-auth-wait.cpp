// Waits until the REST API listens: docs/spec/config.md section 3.4.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tool.h"

namespace {

constexpr char usage[] = R"(usage: wazo-auth-wait [OPTION...]

Waits until something listens on rest_api.port, at 127.0.0.1, for 60 seconds.

  -c, --config-file FILE   the configuration (default: /etc/wazo-auth/config.yml)
      --print              only write where the API is, as JSON: listen, port, certificate and private_key of rest_api

examples:
  wazo-auth-wait
  wazo-auth-wait --print

exit status: 0 when it is done, 1 when it failed (the reason is printed), 2 for a wrong command line
)";

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
    std::string file = "/etc/wazo-auth/config.yml";
    bool print = false, help = false;
    tool::refuse_words(tool::read_options(
        argc, argv, {{"config-file", 'c', nullptr, &file}, {"print", 0, &print}, {"help", 'h', &help}}));
    if (help) {
      std::cout << usage;
      return 0;
    }
    const Json api = tool::load_settings(file).tree.get("rest_api");
    const Json& port = api.get("port");
    if (!port.is_integer() || port.integer() < 1 || port.integer() > 65535)
      throw std::runtime_error("rest_api.port isn't a port");
    if (print) {
      std::cout << Json::object({{"listen", api.get("listen")},
                                 {"port", port},
                                 {"certificate", api.get("certificate")},
                                 {"private_key", api.get("private_key")}})
                       .dump()
                << '\n';
      return 0;
    }
    for (int tries = 0; tries < 60; ++tries) {
      if (listens(static_cast<int>(port.integer()))) return 0;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
    throw std::runtime_error("nothing listens on port " + std::to_string(port.integer()) + " after 60 seconds");
  });
}
