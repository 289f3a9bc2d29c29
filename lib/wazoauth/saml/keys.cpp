#include "wazoauth/saml/keys.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "wazoauth/config/defaults.h"
#include "wazoauth/config/settings.h"

namespace wazoauth::saml {

namespace {

constexpr std::size_t most_bytes = 1 << 16;

std::string content_of(const std::string& path) {
  if (path.empty()) throw std::runtime_error("saml: key_file or cert_file is empty");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) throw std::runtime_error(path + ": " + std::system_category().message(errno));
  std::string text(most_bytes, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) throw std::runtime_error(path + ": it can't be read");
  return text;
}

// Nobody has put anything where the installation expects it, or named another place: SAML isn't used here.
bool left_out(const SamlSettings& settings) {
  const Json& defaults = default_config().get("saml");
  for (const auto& [name, path] :
       {std::pair("key_file", settings.key_file), std::pair("cert_file", settings.cert_file)}) {
    std::error_code ignored;
    const auto type = std::filesystem::status(path, ignored).type();
    if (path != defaults.get(name).text() || type != std::filesystem::file_type::not_found) return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<const Keys> read_keys(const Settings& settings, std::vector<std::string>& warnings) {
  if (!settings.http_plugin("saml") || left_out(settings.saml)) return nullptr;
  try {
    const Keys keys{content_of(settings.saml.key_file), content_of(settings.saml.cert_file)};
    if (const auto complaint = complaint_about(keys))
      throw std::runtime_error(settings.saml.key_file + ", " + settings.saml.cert_file + ": " + *complaint);
    if (settings.saml.redirect_urls.empty())
      warnings.emplace_back("saml.redirect_urls is empty: logins by SAML may send browsers to any https address");
    if (settings.saml.rules.allow_sha1)
      warnings.emplace_back("saml.allow_sha1: signatures of identity providers may be forged one day");
    return std::make_shared<const Keys>(keys);
  } catch (const std::runtime_error& e) {
    warnings.push_back(std::string(e.what()) + "; nobody can log in by SAML");
    return nullptr;
  }
}

}  // namespace wazoauth::saml
