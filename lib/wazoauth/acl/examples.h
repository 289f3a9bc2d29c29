// Required accesses that patterns match, to tell by trial what a pattern adds to a list: it gives something that the
// list lacks when one of its examples is granted with it and not without.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::acl {

// Of a pattern without '!': wildcards are words that no other pattern spells out, '#' also two and three.
std::vector<std::string> examples(std::string_view pattern);

// One that both match; nullopt: they have none in common, or one has more words than accesses have.
std::optional<std::string> example_of_both(std::string_view a, std::string_view b);

}  // namespace wazoauth::acl
