// Graph documents: what is read, what is refused and where, what is planned. Hostile ones cost little.
#include <chrono>
#include <fstream>
#include <sstream>

#include "json/catalogue.h"
#include "json/check.h"
#include "json/documents.h"
#include "json/forms.h"
#include "json/reader.h"
#include "scenario.h"

using namespace holdfast::json;

namespace {

constexpr const char* kCatalogue = R"({
  "types": {
    "Text": { "inputs": { "type": "object", "properties": {} }, "outputs": { "type": "object", "properties": { "text": { "type": "string" }, "count": { "type": "integer" } }, "required": ["text"] } },
    "Join": { "inputs": { "type": "object", "properties": { "text": { "type": "array", "items": { "type": "string" } }, "one": { "type": "string" }, "n": { "type": "number" } }, "required": ["text"] },
              "outputs": { "type": "object", "properties": { "text": { "type": "string" } } } },
    "Any": {}, "Graph": { "dynamic": true }
  },
  "merges": ["last"], "transforms": ["uppercase"], "limits": { "maxBytes": 1000000, "maxDepth": 64, "maxTasks": 1000, "maxNesting": 3 }
})";


// `code pointer`, of each issue.
std::vector<std::string> issues(const std::string& answer) {
  std::vector<std::string> found;
  const Json json = Json::parse(answer);
  for (const Json& issue : json["issues"]) found.push_back(issue["code"].get<std::string>() + " " + issue["pointer"].get<std::string>());
  return found;
}
std::vector<std::string> issues_of(const std::string& text) {
  Documents made;
  made.set_catalogue(kCatalogue);
  return issues(made.check(text));
}

using Found = std::vector<std::string>;

std::string flow(const char* from, const char* to) {
  std::string text = "{\"sourceTaskId\":\"";
  const std::string source(from), target(to);
  const auto part = [](const std::string& end, bool port) { return port ? end.substr(end.find('.') + 1) : end.substr(0, end.find('.')); };
  return text + part(source, false) + "\",\"sourceTaskPortId\":\"" + part(source, true) + "\",\"targetTaskId\":\"" + part(target, false) + "\",\"targetTaskPortId\":\"" + part(target, true) + "\"}";
}
std::string task(const char* id, const char* type, const char* more = "") { return std::string("{\"id\":\"") + id + "\",\"type\":\"" + type + "\"" + more + "}"; }
std::string list(std::initializer_list<std::string> items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return "[" + text + "]";
}
std::string graph(std::initializer_list<std::string> tasks, std::initializer_list<std::string> flows) { return "{\"tasks\":" + list(tasks) + ",\"dataflows\":" + list(flows) + "}"; }

}  // namespace

TEST_CASE("A sound document is planned: order, heights, pairs, and what leads into each task by its name") {
  Documents made;
  made.set_catalogue(kCatalogue);
  const std::string text = graph({task("j", "Join"), task("a", "Text"), task("b", "Text"), task("e", "Any")},
                                 {flow("b.text", "j.text"), flow("a.text", "j.text"), flow("a.text", "j.one"), flow("a.[error]", "e.*"), flow("j.text", "e.x")});
  const Json answer = Json::parse(made.compile(text));
  REQUIRE(issues(made.check(text)).empty());
  const Json& plan = answer["plan"];
  CHECK(plan["order"] == Json({1, 2, 0, 3}));
  CHECK(plan["heights"] == Json({2, 3, 3, 1}));
  CHECK(plan["incoming"] == Json::parse("[[2,1,0],[],[],[3,4]]"));
  CHECK(plan["pairs"] == Json::parse(R"([{"source":1,"target":0,"data":[2,1],"errors":[]},{"source":2,"target":0,"data":[0],"errors":[]},
                                         {"source":0,"target":3,"data":[4],"errors":[]},{"source":1,"target":3,"data":[],"errors":[3]}])"));
  CHECK(!answer.contains("document"));
}

TEST_CASE("All issues are told at once, each with its place") {
  const std::string text = graph({task("a/b", "Text"), task("a/b", "Nope"), task("j", "Join", R"(,"merge":"most","defaults":3)"), task("k", "Join"), "7"},
                                 {flow("a/b.no", "j.text"), flow("a/b.count", "j.one"), flow("a/b.text", "j.one"), flow("j.text", "j.one"), flow("x.text", "j.z"),
                                  R"({"sourceTaskId":"a/b","sourceTaskPortId":"text","targetTaskId":"k","targetTaskPortId":"n","transforms":[{"id":"rot13"},{}]})"});
  CHECK(issues_of(text) == Found{"duplicate-id /tasks/1/id", "unknown-type /tasks/1/type", "wrong-type /tasks/2/defaults", "unknown-merge /tasks/2/merge", "wrong-type /tasks/4",
                                 "unknown-port /dataflows/0/sourceTaskPortId", "incompatible-ports /dataflows/1", "self-edge /dataflows/3", "unknown-task /dataflows/4/sourceTaskId",
                                 "unknown-transform /dataflows/5/transforms/0/id", "missing-field /dataflows/5/transforms/1", "merge-conflict /dataflows/2/targetTaskPortId", "missing-input /tasks/3"});
}

TEST_CASE("A cycle is named as the way around it") {
  const std::string text = graph({task("a", "Any"), task("b", "Any"), task("c", "Any"), task("d", "Any"), task("e", "Any"), task("f", "Any")},
                                 {flow("a.x", "b.x"), flow("b.x", "c.x"), flow("c.x", "b.y"), flow("c.x", "d.x"), flow("e.x", "f.x"), flow("f.x", "e.x")});
  Documents made;
  made.set_catalogue(kCatalogue);
  const Json answer = Json::parse(made.check(text));
  REQUIRE(answer["issues"].size() == 2);
  const std::string first = answer["issues"][0]["message"].get<std::string>();
  CHECK((first.starts_with("A cycle: \"b\" → \"c\" → \"b\".") || first.starts_with("A cycle: \"c\" → \"b\" → \"c\".")));
  CHECK(answer["issues"][1]["code"] == "cycle");
}

TEST_CASE("Graphs inside tasks are looked at too, as deep as allowed") {
  const std::string inner = graph({task("x", "Nope")}, {});
  const std::string text = graph({task("g", "Graph", (",\"subgraph\":" + inner).c_str())}, {});
  CHECK(issues_of(text) == Found{"unknown-type /tasks/0/subgraph/tasks/0/type"});
  std::string deep = graph({}, {});
  for (int i = 0; i < 4; i++) deep = graph({task("g", "Graph", (",\"subgraph\":" + deep).c_str())}, {});
  CHECK(issues_of(deep) == Found{"too-deep /tasks/0/subgraph/tasks/0/subgraph/tasks/0/subgraph/tasks/0/subgraph"});
}

TEST_CASE("A failure and what came instead may lead into one port") {
  CHECK(issues_of(graph({task("a", "Any"), task("j", "Join", R"(,"defaults":{"text":[]})")}, {flow("a.x", "j.one"), flow("a.[error]", "j.one")})) == Found{"incompatible-ports /dataflows/1"});
}

TEST_CASE("The dependency form is read, and written back") {
  const std::string text = R"([{"id":"a","type":"Text"},{"id":"j","type":"Join","x":1,"dependencies":{"text":[{"id":"a","output":"text"},{"id":"a","output":"text2"}],"one":{"id":"a","output":"text"}},
    "subtasks":[{"id":"i","type":"Text"}]}])";
  Issues none;
  Json document = read(text, {}, none);
  const Json before = document;
  Origins origins;
  REQUIRE(modernize(document, none, origins));
  CHECK(document["dataflows"].size() == 3);
  CHECK(document["tasks"][1]["subgraph"]["tasks"][0]["id"] == "i");
  CHECK(to_dependencies(document) == Json::parse(R"([{"id":"a","type":"Text"},{"id":"j","type":"Join","x":1,"subtasks":[{"id":"i","type":"Text"}],
    "dependencies":{"text":[{"id":"a","output":"text"},{"id":"a","output":"text2"}],"one":{"id":"a","output":"text"}}}])"));
  Json again = to_dependencies(document);
  Origins others;
  modernize(again, none, others);
  CHECK(again == document);
}

TEST_CASE("Words of one form that stand in the other are none of it") {
  Issues none;
  const auto dependencies = [&](const char* more_of_task, const char* more_of_flow) {
    return to_dependencies(read(std::string(R"({"tasks":[{"id":"a","type":"Text"},{"id":"j","type":"Join")") + more_of_task + R"(}],"dataflows":[{)" + more_of_flow + R"("sourceTaskId":"a","sourceTaskPortId":"x","targetTaskId":"j","targetTaskPortId":"y"}]})", {}, none));
  };
  const Json plain = dependencies("", "");
  for (const char* more : {R"(,"dependencies":5)", R"(,"dependencies":{"y":7},"subtasks":[1])"}) CHECK(dependencies(more, "") == plain);
  CHECK(dependencies("", R"("id":"e","output":"z",)") == plain);
  Json items = read(R"([{"id":"g","type":"Any","subgraph":{"tasks":7},"subtasks":[{"id":"i","type":"Text"}]}])", {}, none);
  Origins origins;
  REQUIRE(modernize(items, none, origins));
  CHECK(items["tasks"][0].dump() == R"({"id":"g","type":"Any","subgraph":{"tasks":[{"id":"i","type":"Text"}],"dataflows":[]}})");
}

TEST_CASE("An earlier version is brought to this one, a later one is refused, this one is not touched") {
  Documents made;
  made.set_catalogue(kCatalogue);
  const Json old = Json::parse(made.compile(R"({"version":0,"x":[1],"nodes":[{"id":"a","type":"Any","input":{"v":1}},{"id":"b","type":"Any"}],
    "edges":[{"sourceTaskId":"a","sourceTaskOutputId":"o","targetTaskId":"b","targetTaskInputId":"i","note":null}]})"));
  CHECK(old["document"] == Json::parse(R"({"version":1,"x":[1],"tasks":[{"id":"a","type":"Any","defaults":{"v":1}},{"id":"b","type":"Any"}],
    "dataflows":[{"sourceTaskId":"a","sourceTaskPortId":"o","targetTaskId":"b","targetTaskPortId":"i","note":null}]})"));
  CHECK(issues(made.check(R"({"version":2,"tasks":[],"dataflows":[]})")) == Found{"unsupported-version /version"});
  CHECK(issues(made.check(R"({"version":-1,"tasks":[],"dataflows":[]})")) == Found{"unsupported-version /version"});
}

TEST_CASE("What is read is what was written: unknown keys, their order, and numbers") {
  const std::string text = R"({"z":1,"a":{"deep":[1.5,-0.25,1e300,18446744073709551615,-9223372036854775808,"\u00e9\ud83d\ude00\u0000"]},"meta":null,"tasks":[],"dataflows":[]})";
  Issues issues;
  const Json document = read(text, {}, issues);
  CHECK(issues.list().empty());
  CHECK(document == Json::parse(text));
  CHECK(Json::parse(document.dump()).dump() == document.dump());
  CHECK(document.dump().starts_with("{\"z\":1,\"a\":{\"deep\""));
}

TEST_CASE("Hostile documents are refused in bounded time and memory") {
  const auto begin = std::chrono::steady_clock::now();
  CHECK(issues_of(std::string(100'000, '[')) == Found{"too-deep "});
  std::string nested;
  for (int i = 0; i < 100'000; i++) nested += "{\"a\":";
  CHECK(issues_of(nested) == Found{"too-deep "});
  CHECK(issues_of(std::string(100'000'000, ' ')) == Found{"too-large "});
  CHECK(issues_of(R"({"tasks":[],"dataflows":[],"__proto__":{"x":1}})") == Found{"forbidden-key /__proto__"});
  CHECK(issues_of(R"({"tasks":[{"id":"a","type":"Any","config":{"constructor":1}}],"dataflows":[]})") == Found{"forbidden-key /tasks/0/config/constructor"});
  CHECK(issues_of(R"({"tasks":[],"dataflows":[],"n":1e999})") == Found{"invalid-json /n"});
  CHECK(issues_of(R"({"tasks":[],"dataflows":[],"n":)" + std::string(500'000, '9') + "}") == Found{"invalid-json /n"});
  CHECK(issues_of("{\"tasks\":[],\"dataflows\":[],\"n\":\"\xff\xfe\"}") == Found{"invalid-json /n"});
  CHECK(issues_of(R"({"tasks":[],"dataflows":[],"n":"\ud800"})") == Found{"invalid-json /n"});
  CHECK(issues_of(R"({"tasks":[],"dataflows":[],"tasks":[]})") == Found{"duplicate-key /tasks"});
  CHECK(issues_of("") == Found{"invalid-json "});
  CHECK(issues_of("3") == Found{"not-a-graph "});
  CHECK(issues_of("{}") == Found{"missing-field "});
  CHECK(issues_of(R"({"tasks":[]})").empty());
  std::string wide = "{\"tasks\":[],\"dataflows\":[]";
  for (int i = 0; i < 60'000; i++) wide += ",\"k" + std::to_string(i) + "\":0";
  CHECK(issues_of(wide + "}").empty());
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  CHECK(passed.count() < 5);
}

TEST_CASE("However many issues there are, the answer is not longer than people read") {
  std::string tasks;
  for (int i = 0; i < 1000; i++) tasks += (i > 0 ? "," : "") + std::string(R"({"id":3,"type":4,"config":5})");
  Documents made;
  made.set_catalogue(kCatalogue);
  const Json answer = Json::parse(made.check("{\"tasks\":[" + tasks + "],\"dataflows\":[]}"));
  CHECK(answer["issues"].size() == Issues::most);
  CHECK(answer["leftOut"] == 3000 - Issues::most);
}

TEST_CASE("A catalogue that can't be read leaves the one before") {
  Documents made;
  made.set_catalogue(kCatalogue);
  CHECK(issues(made.set_catalogue("[")) == Found{"invalid-json /0"});
  CHECK(issues(made.set_catalogue("3")) == Found{"wrong-type "});
  CHECK(issues(made.check(graph({task("a", "Text")}, {}))).empty());
}

TEST_CASE("Schemas fit as the fixture that both checkers share says") {
  std::string path = __FILE__;
  path = path.substr(0, path.rfind("/core/")) + "/fixtures/schema-compatibility.json";
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const Json fixture = Json::parse(text.str());
  constexpr const char* names[] = {"static", "runtime", "incompatible"};
  for (const Json& one : fixture["schemas"]) {
    INFO(one["name"].get<std::string>());
    Allowance allowance;
    CHECK(names[static_cast<int>(compatible(&one["source"], &one["target"], allowance))] == one["expected"].get<std::string>());
  }
  for (const Json& one : fixture["ports"]) {
    INFO(one["name"].get<std::string>());
    Allowance allowance;
    const std::string from = one["sourcePort"].get<std::string>(), to = one["targetPort"].get<std::string>();
    CHECK(names[static_cast<int>(ports_compatible(one["output"], from, one["input"], to, allowance))] == one["expected"].get<std::string>());
  }
}

TEST_CASE("A document is drawn, whatever its titles say, also where types are unknown") {
  Documents made;
  made.set_catalogue(kCatalogue);
  const std::string text = graph({task("a", "Nope", R"(,"config":{"title":"say \"hi\" <b>"})"), task("b", "Any")}, {flow("a.x", "b.y"), flow("a.[error]", "b.z")});
  const std::string mermaid = Json::parse(made.draw(text, "mermaid"))["text"].get<std::string>();
  CHECK(mermaid == "flowchart LR\n  n0[\"say #quot;hi#quot; #lt;b#gt;<br/><i>Nope</i>\"]\n  n1[\"b<br/><i>Any</i>\"]\n  n0 -->|\"x → y, [error] → z\"| n1\n");
  // A directive would eat what follows it, a backtick what comes until the next.
  const std::string directive = Json::parse(made.draw(graph({task("`%%{init", "Any")}, {}), "mermaid"))["text"].get<std::string>();
  CHECK(directive == "flowchart LR\n  n0[\"#96;#37;#37;{init<br/><i>Any</i>\"]\n");
  const std::string dot = Json::parse(made.draw(text, "dot"))["text"].get<std::string>();
  CHECK(dot.find("n0 [label=\"say \\\"hi\\\" <b>\\nNope\"];") != std::string::npos);
  CHECK(Json::parse(made.draw(text, "layout"))["places"] == Json::parse(R"([{"id":"a","column":0,"row":0,"x":0,"y":0},{"id":"b","column":1,"row":0,"x":264,"y":0}])"));
  CHECK(Json::parse(made.draw(text, "layout", R"({"sizes":{"a":{"width":500,"height":10}},"columnGap":1})"))["places"][1]["x"] == 501);
  CHECK(!Json::parse(made.draw("[[", "dot")).contains("text"));
}

TEST_CASE("What is JSON, and what is none, is as another parser has it") {
  const auto reads = [](const std::string& text) {
    Issues found;
    const Json value = read(text, {}, found);
    CHECK(value.is_discarded() == found.failed());
    const Json other = Json::parse(text, nullptr, false);
    INFO(text);
    CHECK(value.is_discarded() == other.is_discarded());
    if (!other.is_discarded()) CHECK(value == other);
  };
  for (const char* text : {"", " ", "null", " true ", "false", "nul", "truex", "0", "-0", "01", "-", "1.", "1.5", ".5", "1e5", "1E+5", "1e", "1e-400", "123456789012345678", "-123456789012345678", "12345678901234567890123",
                           "1e308", "\"\"", "\"a", "\"\t\"", "\"\\n\\\"\\\\\\/\\b\\f\\r\\t\"", "\"\\x\"", "\"\\u00e9\\u20AC\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "\"\\u12\"",
                           "\"é€😀\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xff\"", "[", "[]", "[1,]", "[1 2]", "[1,2]", "[[],[[]]]", "{", "{}", "{\"a\"}", "{\"a\":}",
                           "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{a:1}", "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"\"}", "[]]", "{}x", "\xef\xbb\xbf{}", "/**/1", "'a'", "NaN", "Infinity", "\x00", "[\"\x1f\"]", "[\"\x7f\"]"}) reads(text);
}

TEST_CASE("What mostly is a mistake is told where that is asked for, and pointers lead into the form that was given") {
  Documents made;
  made.set_catalogue(std::string(kCatalogue).replace(0, 1, "{\"lint\":true,"));
  const std::string round = graph({task("a", "Any"), task("b", "Any"), task("c", "Any")}, {flow("a.x", "b.x"), flow("b.x", "a.x"), flow("b.x", "c.x")});
  CHECK(issues(made.check(round)) == Found{"cycle /dataflows/1", "unreachable /tasks/0", "unreachable /tasks/1", "unreachable /tasks/2"});
  CHECK(issues_of(R"([{"id":"a","type":"Any","dependencies":{"x/y":[{"id":"b","output":"o"}]},"subtasks":[{"id":"i","type":"Nope"}]},{"id":"c","type":"Any","dependencies":3}])") ==
        Found{"wrong-type /1/dependencies", "unknown-type /0/subtasks/0/type", "unknown-task /0/dependencies/x~1y/0/id"});
  CHECK(issues_of(R"({"nodes":[{"id":"a","type":"Nope"}],"edges":[{"sourceTaskId":"z","sourceTaskOutputId":"o","targetTaskId":"a","targetTaskInputId":"i"}]})") == Found{"unknown-type /nodes/0/type", "unknown-task /edges/0/sourceTaskId"});
}
