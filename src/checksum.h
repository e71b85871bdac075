// CRC-32C (Castagnoli), sixteen bytes at a time. The tables are made at start: in the module
// they would be 16 KB that no compression makes smaller.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace holdfast {

namespace checksum_detail {

using Tables = std::array<std::array<std::uint32_t, 256>, 16>;

inline Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; i++) {
    std::uint32_t crc = i;
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    tables[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; i++) {
    for (std::size_t t = 1; t < 16; t++) {
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
    }
  }
  return tables;
}

inline const Tables kTables = make_tables();

}  // namespace checksum_detail

// `crc`: of what came before, to continue it.
inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) {
  const auto& t = checksum_detail::kTables;
  const std::byte* p = bytes.data();
  std::size_t left = bytes.size();
  crc = ~crc;
  for (; left >= 16; left -= 16, p += 16) {
    std::uint32_t words[4];
    std::memcpy(words, p, 16);
    words[0] ^= crc;
    crc = 0;
    for (std::size_t i = 0; i < 4; i++) {
      const std::size_t table = 15 - 4 * i;
      crc ^= t[table][words[i] & 0xff] ^ t[table - 1][(words[i] >> 8) & 0xff] ^
             t[table - 2][(words[i] >> 16) & 0xff] ^ t[table - 3][words[i] >> 24];
    }
  }
  for (; left > 0; left--, p++) {
    crc = (crc >> 8) ^ t[0][(crc ^ static_cast<std::uint32_t>(*p)) & 0xff];
  }
  return ~crc;
}

}  // namespace holdfast
