#include "journal.h"

#include <bit>
#include <cstring>

#include "checksum.h"

namespace holdfast {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + 7) & ~std::uint64_t{7}; }

constexpr std::uint64_t frame_bytes(const FrameHeader& header) {
  return sizeof(FrameHeader) +
         padded(std::uint64_t{header.events} * sizeof(Record) + header.payload_bytes);
}

std::uint32_t frame_crc(Bytes frame) {
  constexpr std::size_t before_crc = sizeof(FrameHeader) - 4;
  return crc32c(frame.subspan(sizeof(FrameHeader)), crc32c(frame.first(before_crc)));
}

}  // namespace

void write_frame(Chain& chain, std::span<const Record> events, Bytes payloads,
                 std::vector<std::byte>& frame) {
  FrameHeader header;
  header.session = chain.session;
  header.sequence = chain.next_sequence;
  header.events = static_cast<std::uint32_t>(events.size());
  header.payload_bytes = static_cast<std::uint32_t>(payloads.size());
  header.previous_crc = chain.crc;
  frame.resize(static_cast<std::size_t>(frame_bytes(header)));
  std::byte* p = frame.data();
  std::memcpy(p, &header, sizeof header);
  p += sizeof header;
  if (!events.empty()) std::memcpy(p, events.data(), events.size_bytes());
  p += events.size_bytes();
  if (!payloads.empty()) std::memcpy(p, payloads.data(), payloads.size());
  p += payloads.size();
  std::memset(p, 0, static_cast<std::size_t>(frame.data() + frame.size() - p));
  header.crc = frame_crc(frame);
  std::memcpy(frame.data() + sizeof header - 4, &header.crc, 4);
  chain.crc = header.crc;
  chain.next_sequence++;
}

FrameResult FrameReader::next() {
  const Bytes rest = log_.subspan(end_);
  if (rest.size() < sizeof(FrameHeader)) return lacks(sizeof(FrameHeader));
  std::memcpy(&header_, rest.data(), sizeof header_);
  if (header_.magic != kFrameMagic || !continues()) return FrameResult::End;
  const std::uint64_t length = frame_bytes(header_);
  if (length > rest.size()) return lacks(length);
  if (frame_crc(rest.first(static_cast<std::size_t>(length))) != header_.crc) return FrameResult::End;
  if (header_.version > kFrameVersion) return FrameResult::Newer;
  if (header_.version == 0) return FrameResult::End;
  begin_ = end_;
  end_ += static_cast<std::size_t>(length);
  begun_ = true;
  chain_ = {header_.session, header_.sequence + 1, header_.crc};
  return FrameResult::Frame;
}

FrameResult FrameReader::lacks(std::uint64_t bytes) {
  wanted_ = bytes;
  return FrameResult::Short;
}

bool FrameReader::continues() const {
  if (!begun_) return header_.previous_crc == 0;
  return header_.session == chain_.session && header_.sequence == chain_.next_sequence &&
         header_.previous_crc == chain_.crc;
}

Record FrameReader::event(std::uint32_t index) const {
  Record record;
  std::memcpy(&record, log_.data() + begin_ + sizeof(FrameHeader) + index * sizeof(Record),
              sizeof record);
  return record;
}

std::size_t FrameReader::payloads_begin() const {
  return begin_ + sizeof(FrameHeader) + header_.events * sizeof(Record);
}

}  // namespace holdfast
