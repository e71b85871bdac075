// Table: the caller's numbers (tasks, groups) mapped to dense slots. Blocks: what lies in the slots.
//
// A number is found through pages of 256 slots' indexes, made when first used and freed when empty,
// so a hostile number costs one page (1 KB) and a long session costs what is alive. Slots lie in
// blocks that never move: a reference stays valid until its number is removed. Slots are reused.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "check.h"

namespace holdfast {

inline constexpr std::uint32_t kNone = 0xffffffff;
// Above it a number is refused (Rejection::TooMany): the index stays below 2 MB.
inline constexpr std::uint32_t kMaxNumber = (1u << 26) - 1;

template <class T>
class Blocks {
 public:
  T& operator[](std::uint32_t slot) { return blocks_[slot / kBlock][slot % kBlock]; }
  const T& operator[](std::uint32_t slot) const { return blocks_[slot / kBlock][slot % kBlock]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(blocks_.size()) * kBlock; }
  // Makes room for `slot`. Nothing moves, and nothing is copied.
  void reach(std::uint32_t slot) {
    while (slot >= size()) blocks_.push_back(std::make_unique<T[]>(kBlock));
  }
  std::size_t bytes() const { return size() * sizeof(T); }

 private:
  static constexpr std::uint32_t kBlock = 256;
  std::vector<std::unique_ptr<T[]>> blocks_;
};

template <class T>
class Table {
 public:
  // The slot of `number`, or kNone.
  std::uint32_t find(std::uint32_t number) const {
    const std::uint32_t page = number / kPage;
    if (page >= pages_.size() || !pages_[page]) return kNone;
    return pages_[page]->slots[number % kPage];
  }

  // REQUIRES: number <= kMaxNumber, and it is not in the table.
  std::uint32_t add(std::uint32_t number) {
    HOLDFAST_CHECK(number <= kMaxNumber);
    Page& page = page_of(number);
    HOLDFAST_CHECK(page.slots[number % kPage] == kNone);
    const std::uint32_t slot = take_slot();
    page.slots[number % kPage] = slot;
    page.used++;
    (*this)[slot] = T{};
    size_++;
    return slot;
  }

  // REQUIRES: the number is in the table.
  void remove(std::uint32_t number) {
    const std::uint32_t slot = find(number);
    HOLDFAST_CHECK(slot != kNone);
    Page& page = *pages_[number / kPage];
    page.slots[number % kPage] = kNone;
    if (--page.used == 0) pages_[number / kPage].reset();
    free_.push_back(slot);
    size_--;
  }

  T& operator[](std::uint32_t slot) { return blocks_[slot]; }
  const T& operator[](std::uint32_t slot) const { return blocks_[slot]; }

  std::uint32_t size() const { return size_; }
  // Every number in the table is below it.
  std::uint32_t number_end() const {
    for (std::size_t page = pages_.size(); page-- > 0;) {
      for (std::uint32_t i = kPage; pages_[page] && i-- > 0;) {
        if (pages_[page]->slots[i] != kNone) return static_cast<std::uint32_t>(page) * kPage + i + 1;
      }
    }
    return 0;
  }
  // Every slot in use is below it.
  std::uint32_t slot_end() const { return slot_end_; }
  std::size_t bytes() const {
    return blocks_.bytes() + pages_.size() * sizeof(pages_[0]) +
           (size_ / kPage + 1) * sizeof(Page) + free_.capacity() * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t kPage = 256;

  struct Page {
    Page() { slots.fill(kNone); }
    std::array<std::uint32_t, kPage> slots;
    std::uint32_t used = 0;
  };

  Page& page_of(std::uint32_t number) {
    const std::uint32_t page = number / kPage;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (!pages_[page]) pages_[page] = std::make_unique<Page>();
    return *pages_[page];
  }

  std::uint32_t take_slot() {
    if (!free_.empty()) {
      const std::uint32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    blocks_.reach(slot_end_);
    return slot_end_++;
  }

  std::vector<std::unique_ptr<Page>> pages_;
  Blocks<T> blocks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t slot_end_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace holdfast
