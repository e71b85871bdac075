// The cold door: JSON documents, text in and text out. A module of its own, loaded with the first document;
// js/graph/document.ts is the only caller, src/json/documents.h says what each call means.
//
// A text is written into the room that `room(bytes)` gives, as UTF-8; a call says how many bytes there are.
#include <emscripten/bind.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "json/documents.h"

namespace {

// Memory of one call: taken one after the other and given back at once, when the next call begins. A document is
// hundreds of thousands of small texts, which a general allocator would look after one by one.
class Arena {
 public:
  void* take(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (static_cast<std::size_t>(end_ - at_) < bytes) grow(bytes);
    char* const taken = at_;
    at_ += bytes;
    return taken;
  }
  bool has(const void* pointer) const {
    const auto* at = static_cast<const char*>(pointer);
    return std::any_of(chunks_, chunks_ + count_, [&](const Chunk& chunk) { return at >= chunk.begin && at < chunk.begin + chunk.bytes; });
  }
  // REQUIRES: nothing that was taken is used any more.
  void rewind() {
    while (count_ > 1) std::free(chunks_[--count_].begin);
    at_ = count_ == 0 ? nullptr : chunks_[0].begin;
    end_ = count_ == 0 ? nullptr : at_ + chunks_[0].bytes;
  }

  bool active = false;

 private:
  struct Chunk {
    char* begin = nullptr;
    std::size_t bytes = 0;
  };
  // Each twice as large as the one before, so there are never many.
  void grow(std::size_t bytes) {
    const std::size_t usual = std::size_t{1} << std::min<std::size_t>(20 + count_, 26);
    Chunk& chunk = chunks_[count_];
    chunk.bytes = std::max(bytes, usual);
    chunk.begin = static_cast<char*>(std::malloc(chunk.bytes));
    if (chunk.begin == nullptr || ++count_ == most) __builtin_trap();
    at_ = chunk.begin;
    end_ = at_ + chunk.bytes;
  }

  static constexpr std::size_t most = 128;
  Chunk chunks_[most] = {};
  std::size_t count_ = 0;
  char *at_ = nullptr, *end_ = nullptr;
};
constinit Arena arena;

struct Call {
  Call() {
    arena.rewind();
    arena.active = true;
  }
  ~Call() { arena.active = false; }
};

// What comes back is copied by the binding layer before the next call.
class Door {
 public:
  std::uintptr_t room(std::size_t bytes) {
    if (bytes > bytes_) {
      std::free(text_);
      text_ = static_cast<char*>(std::malloc(bytes));
      bytes_ = text_ == nullptr ? 0 : bytes;
    }
    return reinterpret_cast<std::uintptr_t>(text_);
  }
  // A catalogue stays, so its memory is not of the call.
  std::string set_catalogue(std::size_t bytes) { return documents_.set_catalogue(text(bytes)); }
  std::string check(std::size_t bytes) const { return call(bytes, [&](auto given) { return documents_.check(given); }); }
  std::string compile(std::size_t bytes) const { return call(bytes, [&](auto given) { return documents_.compile(given); }); }
  std::string upgrade(std::size_t bytes) const { return call(bytes, [&](auto given) { return documents_.upgrade(given); }); }
  std::string to_dependencies(std::size_t bytes) const { return call(bytes, [&](auto given) { return documents_.to_dependencies(given); }); }
  std::string draw(std::size_t bytes, const std::string& language, const std::string& options) const { return call(bytes, [&](auto given) { return documents_.draw(given, language, options); }); }
  std::string compare(std::size_t bytes) const { return call(bytes, [&](auto given) { return documents_.compare(given); }); }

 private:
  std::string_view text(std::size_t bytes) const { return {text_, std::min(bytes, bytes_)}; }
  template <class Work>
  std::string call(std::size_t bytes, Work work) const {
    const Call during;
    return work(text(bytes));
  }

  holdfast::json::Documents documents_;
  char* text_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace

void* operator new(std::size_t bytes) {
  if (arena.active) return arena.take(bytes);
  void* const made = std::malloc(bytes == 0 ? 1 : bytes);
  if (made == nullptr) __builtin_trap();
  return made;
}
void operator delete(void* pointer) noexcept {
  if (!arena.active && !arena.has(pointer)) std::free(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void operator delete[](void* pointer) noexcept { operator delete(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { operator delete(pointer); }

// What the standard library does where it would throw: end, without a text. The usual one brings printf.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD

EMSCRIPTEN_BINDINGS(holdfast_json) {
  emscripten::class_<Door>("Documents")
      .constructor<>()
      .function("room(bytes)", &Door::room)
      .function("setCatalogue(bytes)", &Door::set_catalogue)
      .function("check(bytes)", &Door::check)
      .function("compile(bytes)", &Door::compile)
      .function("upgrade(bytes)", &Door::upgrade)
      .function("toDependencies(bytes)", &Door::to_dependencies)
      .function("compare(bytes)", &Door::compare)
      .function("draw(bytes, language, options)", &Door::draw);
}
