import { describeFragmentStore } from '../testing/describe-fragment-store.js';
import { MemoryFragmentStore } from './memory-fragment-store.js';

describeFragmentStore('Memory', async ({ freeBytes } = {}) => {
  const options = freeBytes === undefined ? {} : { capacityBytes: freeBytes + 1_000 };
  const store = new MemoryFragmentStore({ ...options, reserveBytes: 1_000 });
  return { store, reopen: () => store, dispose: async () => undefined };
});
