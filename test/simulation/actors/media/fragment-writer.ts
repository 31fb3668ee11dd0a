import type { Manifest } from '#archive/manifest.js';
import { uuidOf } from '#kernel/ids.js';
import type { WrittenCopy } from '#contracts/task.js';
import type { FragmentName } from '#storage/fragment-name.js';
import type { Life } from '../../kernel/host.js';
import type { SimLedger } from './sim-ledger.js';
import { digestOf, type SimStore } from './sim-store.js';

/** What one fragment holds, as the agent or another copy has it. */
export interface FragmentContent {
  readonly number: number;
  readonly data: Buffer;
  readonly index: Buffer;
  readonly archiveOffset: number;
  readonly archiveBytes: number;
  readonly last: boolean;
}

/** Writes fragments in the order that the protocol wants: INTENT, bytes, SEALED. */
export class FragmentWriter {
  private made = 0;

  constructor(
    private readonly life: Life,
    private readonly store: SimStore,
    private readonly ledger: SimLedger,
  ) {}

  /** Resolves with the fragment's id when it is sealed. */
  async write(copy: WrittenCopy, content: FragmentContent): Promise<string> {
    const { imageId, copyAttempt } = copy;
    const name = this.name(copy, content.number);
    const intent = { imageId, copy: copy.copy, number: content.number, attempt: copyAttempt };
    await this.ledger.intent({ fragmentId: name.fragmentId, ...intent });
    await this.store.begin(name);
    const half = content.data.length >> 1;
    await this.store.write(name, 'data', content.data.subarray(0, half));
    await this.store.write(name, 'data', content.data.subarray(half));
    await this.store.write(name, 'index', content.index);
    const manifest = manifestOf(name, copy, content);
    await this.store.seal(name, manifest);
    const sealedAt = new Date(this.life.world.now).toISOString();
    await this.ledger.sealed(manifest, sealedAt);
    return name.fragmentId;
  }

  private name(copy: WrittenCopy, number: number): FragmentName {
    this.made += 1;
    const { host, world, number: life } = this.life;
    const fragmentId = uuidOf(`${world.seed} ${host.name} ${life} ${this.made}`);
    return { imageId: copy.imageId, copy: copy.copy, number, fragmentId };
  }
}

function manifestOf(name: FragmentName, copy: WrittenCopy, content: FragmentContent): Manifest {
  const { client, policy, kind, backupTime, copyAttempt: attempt } = copy;
  const { archiveOffset, archiveBytes, data, index, last, number } = content;
  return {
    version: 1,
    ...name,
    ...{ attempt, client, policy, kind, backupTime, archiveOffset, archiveBytes, last },
    storedBytes: data.length,
    digest: digestOf(data),
    indexBytes: index.length,
    indexDigest: digestOf(index),
    frames: 1,
    ...(last ? { fragments: number, files: number, bytes: archiveOffset + archiveBytes } : {}),
  };
}
