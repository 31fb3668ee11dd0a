import { SimBroker } from '../parts/sim-broker.js';
import { SimDatabase, type SimTransaction, type Snapshot } from '../parts/sim-database.js';
import { SimDisk } from '../parts/sim-disk.js';
import type { BrokerUnderTest } from './describe-broker.js';
import { CONTRACT_TABLES, type DatabaseUnderTest } from './describe-database.js';
import type { DiskUnderTest } from './describe-disk.js';

/** The simulated broker behind the contract suite, with a clock that the tests turn. */
export function simulatedBroker(): BrokerUnderTest {
  let now = 1_000;
  const broker = new SimBroker(() => now);
  const marks = new Map<string, number>();
  return {
    ensureStream: async (spec) => broker.ensureStream(spec),
    ensureConsumer: async (spec) => broker.ensureConsumer(spec),
    publish: async (message) => broker.publish(message),
    pull: async (stream, durable, max) => broker.pull(stream, durable, max),
    ack: async (stream, durable, sequence) => broker.ack(stream, durable, sequence),
    nak: async (stream, durable, sequence) => broker.nak(stream, durable, { sequence, delayMs: 0 }),
    streamState: async (stream) => broker.streamState(stream),
    consumerState: async (stream, durable) => broker.consumerState(stream, durable),
    deleteConsumer: async (stream, durable) => broker.deleteConsumer(stream, durable),
    deleteStream: async (stream) => broker.deleteStream(stream),
    async mark() {
      for (const name of broker.names) marks.set(name, broker.streamState(name).lastSequence);
    },
    async goBack() {
      for (const [name, sequence] of marks) broker.rewind(name, sequence);
    },
    async pass(ms) {
      now += ms;
    },
  };
}

export async function simulatedDisk(): Promise<DiskUnderTest> {
  const disk = new SimDisk();
  return {
    create: async (path) => disk.create(path),
    append: async (path, text) => disk.append(path, Buffer.from(text)),
    truncate: async (path, length) => disk.truncate(path, length),
    read: async (path) => disk.read(path).toString(),
    exists: async (path) => disk.exists(path),
    list: async (folder) => disk.list(folder),
    sync: async (path) => disk.sync(path),
    syncFolder: async (folder) => disk.syncFolder(folder),
    rename: async (from, to) => disk.rename(from, to),
    remove: async (path) => disk.remove(path),
    killWriter: async () => undefined,
    dispose: async () => undefined,
  };
}

export function simulatedDatabase(): DatabaseUnderTest {
  const database = new SimDatabase(CONTRACT_TABLES);
  const owners = new Map<unknown, object>();
  let mark: Snapshot;
  return {
    async begin() {
      const owner = {};
      const transaction = database.begin(owner);
      owners.set(transaction, owner);
      return transaction;
    },
    disconnect: async (transaction) => database.disconnect(owners.get(transaction)),
    commitUnheard: async (transaction) => (transaction as SimTransaction).commit(),
    async mark() {
      mark = database.snapshot();
    },
    goBack: async () => database.restore(mark, { silently: false }),
  };
}
