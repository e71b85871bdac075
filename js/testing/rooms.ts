/**
 * Rooms that pages load when they first need them. A test has them from the start: to load a module takes real time, of
 * which a virtual clock knows nothing.
 */
import '@noble/hashes/sha2.js';
import '../asking/caller.ts';
import '../batches/batches.ts';
import '../batches/container.ts';
import '../batches/one.ts';
import '../batches/sources.ts';
import '../batching/batching.ts';
import '../blobs/digest.ts';
import '../blobs/ghosts.ts';
import '../cache/canonical.ts';
import '../cache/digest.ts';
import '../cache/task-cache.ts';
import '../codec/web-bodies.ts';
import '../definition/former-code.ts';
import '../definition/services.ts';
import '../dependencies/edges.ts';
import '../groups/container.ts';
import '../identity/fork.ts';
import '../limiting/adaptive.ts';
import '../limiting/origin-shares.ts';
import '../limiting/verbs.ts';
import '../locking/acquire.ts';
import '../locking/table.ts';
import '../opening/adoption.ts';
import '../retrying/fetch.ts';
import '../retrying/on-throw.ts';
import '../schedules/runner.ts';
import '../schedules/schedules.ts';
import '../signatures/chain-run.ts';
import '../signatures/choice-run.ts';
import '../signatures/merge.ts';
import '../signatures/signatures.ts';
import '../signatures/swarm-run.ts';
import '../streams/work.ts';
import 'croner';
