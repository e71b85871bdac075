// The journal: whatever happens to its bytes, what is read is a state that was written.
#include <cstring>

#include "checksum.h"
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

using Frames = std::vector<std::vector<std::byte>>;

// A small life in several frames: each ends in a state of its own.
struct Story {
  Frames frames;
  std::vector<Log> after;  // after[i]: the state of the first i frames

  Story() {
    Scenario s;
    const auto seal = [&] {
      REQUIRE(s.session.seal() > 0);
      frames.push_back(s.session.frame());
    };
    s.queue(1, QueueField::Concurrency, 1);
    s.step({{number(Command::Create), 1, 1 | (1u << 31), 5, 0}}, "input");
    seal();
    s.step({{number(Command::RecordStep), 1, 1, 4, 0}}, "step");
    s.create(2, 1);
    seal();
    s.step({{number(Command::Settle), 1, 1, 6, 0}}, "result");
    seal();
    s.fail(2);
    seal();
    for (std::size_t i = 0; i <= frames.size(); i++) after.push_back(read_log(whole(i), 1));
  }
  std::vector<std::byte> whole(std::size_t count) const {
    std::vector<std::byte> log;
    for (std::size_t i = 0; i < count; i++) log.insert(log.end(), frames[i].begin(), frames[i].end());
    return log;
  }
  std::vector<std::byte> whole() const { return whole(frames.size()); }
  // How many frames make up so many bytes; fails between two.
  std::size_t frames_in(std::size_t bytes) const {
    for (std::size_t i = 0; i <= frames.size(); i++) {
      if (whole(i).size() == bytes) return i;
    }
    FAIL("not the end of a frame: " << bytes);
    return 0;
  }
};

// What a damaged log reads as: the state after some frames, never another.
std::size_t frames_read(const Story& story, const std::vector<std::byte>& log) {
  const Log read = read_log(log, 1);
  CHECK(!read.newer);
  const std::size_t frames = story.frames_in(read.bytes);
  CHECK(same_state(read.core, story.after[frames].core));
  return frames;
}

// Writes events as a frame that is all right but for what they say.
std::vector<std::byte> forge(const std::vector<Record>& events, const std::string& payload = "") {
  Chain chain{.session = 7, .next_sequence = 1};
  std::vector<std::byte> frame;
  write_frame(chain, events, bytes_of(payload), frame);
  return frame;
}

void set_word(std::vector<std::byte>& frame, std::size_t word, std::uint32_t value) {
  std::memcpy(frame.data() + word * 4, &value, 4);
  const Bytes bytes = frame;
  const std::uint32_t crc = crc32c(bytes.subspan(32), crc32c(bytes.first(28)));
  std::memcpy(frame.data() + 28, &crc, 4);
}

Record made(Event kind, std::uint32_t task, std::uint32_t a = 0, std::uint32_t b = 0, double at = 1) {
  return {number(kind), task, a, b, at};
}

}  // namespace

TEST_CASE("The checksum is CRC-32C") {
  CHECK(crc32c(bytes_of("123456789")) == 0xe3069283);
  CHECK(crc32c({}) == 0);
  const auto text = bytes_of("The quick brown fox jumps over the lazy dog");
  CHECK(crc32c(Bytes(text).subspan(5), crc32c(Bytes(text).first(5))) == crc32c(text));
}

TEST_CASE("B1: a log cut at any byte reads as the frames that are whole") {
  const Story story;
  const auto log = story.whole();
  for (std::size_t length = 0; length <= log.size(); length++) {
    const std::size_t frames = frames_read(story, {log.begin(), log.begin() + static_cast<long>(length)});
    if (frames < story.frames.size()) CHECK(story.whole(frames + 1).size() > length);
  }
}

TEST_CASE("B2: a log with any bit flipped reads as the frames before it") {
  const Story story;
  const auto log = story.whole();
  for (std::size_t i = 0; i < log.size() * 8; i++) {
    auto damaged = log;
    damaged[i / 8] ^= static_cast<std::byte>(1u << (i % 8));
    const std::size_t frames = frames_read(story, damaged);
    CHECK(story.whole(frames).size() <= i / 8);
    CHECK(story.whole(frames + 1).size() > i / 8);
  }
}

TEST_CASE("B3: frames that are swapped, doubled, missing, zeroed or left over end the log") {
  const Story story;
  const Frames& f = story.frames;
  const auto join = [](std::initializer_list<std::vector<std::byte>> parts) {
    std::vector<std::byte> log;
    for (const auto& part : parts) log.insert(log.end(), part.begin(), part.end());
    return log;
  };
  CHECK(frames_read(story, join({f[1], f[0]})) == 0);
  CHECK(frames_read(story, join({f[0], f[2], f[1]})) == 1);
  CHECK(frames_read(story, join({f[0], f[0], f[1]})) == 1);
  CHECK(frames_read(story, join({f[0], f[1], f[3]})) == 2);
  CHECK(frames_read(story, join({f[0], f[1], std::vector<std::byte>(4096)})) == 2);
  Scenario other;
  other.create(9);
  CHECK(frames_read(story, join({f[0], other.log()})) == 1);
}

TEST_CASE("B3: a frame of another log of the same session does not fit") {
  Scenario s;
  s.create(1);
  const auto first = s.log();
  s.create(2);
  s.log();
  const auto left_over = s.session.frame();
  Scenario again;
  again.create(5);
  auto log = again.log();
  const std::size_t length = log.size();
  log.insert(log.end(), left_over.begin(), left_over.end());
  CHECK(read_log(log, 1).bytes == length);
}

TEST_CASE("F7: an event from the future is skipped if it is optional, else the log is of a later version") {
  const auto created = made(Event::Created, 1, 1u << 31);
  const Log optional = read_log(forge({created, {kOptionalEvent | 900, 1, 2, 3, 4}}), 1);
  CHECK(optional.bytes > 0);
  CHECK(!optional.newer);
  CHECK(optional.core.tasks().size() == 1);
  const Log unknown = read_log(forge({created, {255, 1, 2, 3, 4}}), 1);
  CHECK(unknown.newer);
}

TEST_CASE("F7: a later version of the frame is told from damage, and refused as a whole") {
  auto frame = forge({made(Event::Created, 1)});
  set_word(frame, 1, kFrameVersion + 1);
  CHECK(read_log(frame, 1).newer);
  Scenario s;
  CHECK(s.load(frame) == -1);
  CHECK(s.session.core().tasks().size() == 0);
  frame[8] ^= std::byte{1};  // and if it is damaged too, it is damage
  CHECK(!read_log(frame, 1).newer);
}

TEST_CASE("B2: an event that cannot be true ends the log, however right its checksum is") {
  const auto created = made(Event::Created, 1, 1u << 31);
  const auto started = made(Event::Started, 1, 1);
  const std::vector<std::vector<Record>> lies = {
      {made(Event::Started, 1)},
      {created, created},
      {made(Event::Created, 0xffffffff)},
      {made(Event::Created, 1, 7)},
      {made(Event::Created, 1, 0, 0, -1)},
      {made(Event::Created, 1, 0, 0, 1e300)},
      {created, started, started},
      {created, made(Event::Succeeded, 1, 1)},
      {created, started, made(Event::Progressed, 1, 1, 0, 1000)},
      {created, made(Event::Stopping, 1, 1u << 24)},
      {created, started, made(Event::Stopping, 1, 9u << 24)},
      {created, made(Event::Depended, 1, 1)},
      {created, made(Event::Forgotten, 1)},
      {created, made(Event::Failed, 1, 9)},
      {made(Event::QueueSet, 1 << 20, 1)},
      {made(Event::QueueSet, 1, 1, 0, 0.5)},
      {made(Event::PolicySet, 1 << 20, 1)},
      {made(Event::PolicySet, 1, 8, 1u << 30, 1)},
      {made(Event::GroupSettled, 5)},
      {made(Event::GroupSet, 5, 3, 0, 1), made(Event::Created, 1), made(Event::Joined, 1, 5), made(Event::GroupSettled, 5)},
      {created, made(Event::Restored, 1, 1, 3)},
      {made(Event::Created, 1), made(Event::Restored, 1, 1, 15)},
      {made(Event::Created, 1), made(Event::Restored, 1, 1, 4)},
      {made(Event::Created, 1, 0, 4)},  // a payload that is not there
  };
  for (std::size_t i = 0; i < lies.size(); i++) {
    INFO("lie " << i);
    const Log log = read_log(forge(lies[i]), 1);
    CHECK(log.bytes == 0);
    CHECK(log.core.tasks().size() == 0);
  }
}

TEST_CASE("B2: a frame that cannot be true does not spoil those before it") {
  Scenario s;
  s.create(1);
  auto log = s.log();
  const std::size_t length = log.size();
  Log read = read_log(log, 1);
  std::vector<std::byte> lie;
  write_frame(read.chain, std::vector<Record>{made(Event::Created, 2), made(Event::Created, 2)}, {}, lie);
  log.insert(log.end(), lie.begin(), lie.end());
  read = read_log(log, 1);
  CHECK(read.bytes == length);
  CHECK(same_state(read.core, s.session.core()));
}

TEST_CASE("A log that comes in pieces is the log, whatever the size of the pieces") {
  const Story story;
  auto log = story.whole(story.frames.size());
  const std::size_t length = log.size();
  log.resize(length + 100);  // a storage's reserve
  Session whole(8, 2);
  REQUIRE(load_log(whole, log, log.size()) == static_cast<double>(length));
  for (std::size_t piece = 1; piece < log.size(); piece++) {
    INFO("pieces of " << piece);
    Session session(8, 2);
    REQUIRE(load_log(session, log, piece) == static_cast<double>(length));
    REQUIRE(same_state(session.core(), whole.core()));
    const auto one = located(session), other = located(whole);
    REQUIRE(std::equal(one.begin(), one.end(), other.begin(), other.end(),
                       [](const Record& x, const Record& y) { return std::memcmp(&x, &y, sizeof x) == 0; }));
  }
}

TEST_CASE("B2: a session that has read what can't be true says how much is good, and takes nothing over") {
  Scenario s;
  s.create(1);
  auto log = s.log();
  const std::size_t length = log.size();
  Log read = read_log(log, 1);
  std::vector<std::byte> lie;
  write_frame(read.chain, std::vector<Record>{made(Event::Created, 2), made(Event::Created, 2)}, {}, lie);
  log.insert(log.end(), lie.begin(), lie.end());
  Session session(8, 2);
  std::copy(log.begin(), log.end(), session.reserve(log.size()));
  CHECK(session.feed(log.size()) == static_cast<double>(length));
  CHECK(session.wanted() == 0);
  CHECK(session.load() == -2 - static_cast<double>(length));
  CHECK(session.core().tasks().size() == 0);
  CHECK(load_log(session, log, 50) == static_cast<double>(length));
  CHECK(same_state(session.core(), s.session.core()));
}

TEST_CASE("What a session located is of the log it loaded, whatever happened since") {
  Scenario s;
  s.step({{number(Command::Create), 1, 1u << 31, 2, 0}}, "in");
  s.load(s.log());
  s.give(Command::Recover);
  s.step({{number(Command::Settle), 1, 2, 6, 0}}, "result");
  s.give(Command::Forget, 1);
  s.session.locate(1);
  REQUIRE(s.session.outbox().size() == 1);
  CHECK(s.session.outbox()[0].b == 2);
  s.session.locate(2);
  CHECK(s.session.outbox().empty());
}

TEST_CASE("A task is named for each queue that has any") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 1);
  s.queue(7, QueueField::Concurrency, 1);
  s.create(4, 7);
  s.create(5, 7);
  s.create(6);
  s.session.locate_queues();
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  for (const Record& record : s.session.outbox()) found.emplace_back(record.task, record.a);
  CHECK(found == std::vector<std::pair<std::uint32_t, std::uint32_t>>{{4, 7}, {6, 0}});
  CHECK(s.value(0, Field::TaskEnd) == 7);
  CHECK(s.value(0, Field::PolicyEnd) == 1);
}

TEST_CASE("A loaded log goes on where it ended, with its session's number") {
  Scenario s;
  s.create(1);
  s.restart();
  s.succeed(1);
  const auto log = s.log();
  const Log read = read_log(log, 1);
  CHECK(read.bytes == log.size());
  CHECK(read.chain.session == 7);
  CHECK(same_state(read.core, s.session.core()));
}

TEST_CASE("An empty step writes nothing") {
  Scenario s;
  s.step({});
  CHECK(s.session.seal() == 0);
}

TEST_CASE("Load lists what a task still needs: input, steps, result or error, blobs, notes") {
  Scenario s;
  s.step({{number(Command::Create), 1, 1u << 31, 2, 0}}, "in");
  s.step({{number(Command::RecordStep), 1, 1, 2, 0}}, "s1");
  s.step({{number(Command::Note), 1, 4, 3, 0}}, "old");
  s.step({{number(Command::RecordStep), 1, 1, 2, 0}}, "s2");
  s.give(Command::AttachBlob, 1, 11, 22, 3333);
  s.step({{number(Command::Note), 1, 4, 3, 0}}, "new");
  s.step({{number(Command::Settle), 1, 1 | (number(Outcome::Failure) << 24), 3, 0}}, "err");
  s.create(2);
  const auto log = s.log();
  s.load(log);
  std::vector<std::string> found;
  for (const Record& record : s.said) {
    if (record.kind == number(Event::BlobAttached)) found.push_back("blob " + std::to_string(record.b));
    if (record.kind != number(Event::Located)) continue;
    const auto* text = reinterpret_cast<const char*>(log.data()) + static_cast<long>(record.at);
    found.push_back(std::to_string(record.task) + "/" + std::to_string(record.a) + " " + std::string(text, record.b));
  }
  CHECK(found == std::vector<std::string>{"1/1 in", "1/2 s1", "1/2 s2", "1/4 err", "blob 22", "1/1029 new", "2/1 "});
}
