// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_TESTS_SUPPORT_COMMA_LOCALE_HPP
#define LANEMAX_TESTS_SUPPORT_COMMA_LOCALE_HPP

#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <locale>
#include <string>

namespace lanemax::checks {

/// While it lives, C and C++ write 1234.5 as 1.234,5 wherever they ask for the locale. Few machines have such a locale
/// installed: C's is written to a file in glibc's format.
class CommaLocale {
 public:
  CommaLocale() {
    std::locale::global(std::locale(std::locale::classic(), new Numbers));
    std::string directory = (std::filesystem::temp_directory_path() / "lanemax-locale-XXXXXX").string();
    if (::mkdtemp(directory.data()) == nullptr) return;
    std::filesystem::create_directory(directory + "/comma");
    std::ofstream(directory + "/comma/LC_NUMERIC", std::ios::binary) << numeric_file();
    ::setenv("LOCPATH", directory.c_str(), 1);
    std::setlocale(LC_NUMERIC, "comma");
    ::unsetenv("LOCPATH");
    std::filesystem::remove_all(directory);
  }
  ~CommaLocale() {
    std::setlocale(LC_NUMERIC, "C");
    std::locale::global(std::locale::classic());
  }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;

  /// Whether C writes a comma now.
  [[nodiscard]] static bool is_at_work() {
    char text[16];
    std::snprintf(text, sizeof text, "%.1f", 1.5);
    return std::string(text) == "1,5";
  }

 private:
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };

  /// A magic number, how many items there are, where each begins, the items.
  static std::string numeric_file() {
    // Decimal point, separator of thousands, grouping; the first two as wide characters; the character set.
    constexpr std::uint32_t kItems = 6, kMagic = 0x20031115 ^ LC_NUMERIC, kBegin[kItems] = {32, 34, 36, 40, 44, 48};
    std::string file;
    const auto add = [&](std::uint32_t number) { file.append(reinterpret_cast<const char*>(&number), sizeof number); };
    add(kMagic);
    add(kItems);
    for (const std::uint32_t begin : kBegin) add(begin);
    file.append(",\0.\0\3\0\0\0", 8);
    add(',');
    add('.');
    return file.append("ANSI_X3.4-1968", 15);
  }
};

}  // namespace lanemax::checks

#endif
