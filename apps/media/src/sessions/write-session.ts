import type { Manifest } from '#archive/manifest.js';
import type { ImageDetails } from '#contracts/names.js';
import type { ResumePoint } from '#contracts/task.js';
import type { Clock } from '#kernel/clock.js';
import { Cancelled } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Connection } from '#transfer/connection.js';
import { fragmentBytesMaxAt } from '#transfer/fragment-bytes.js';
import { ConnectionBroken, ProtocolError } from '#transfer/errors.js';
import { MESSAGE, messageName, type Message } from '#transfer/message.js';
import { finish, parsePayload, seal, type Finish, type Seal } from '#transfer/payloads.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import { checkFinish, outOfSequence, type CopyProgress } from '../domain/write-rules.js';
import { refusal } from '../domain/refusal.js';
import { ChunkReceiver, CHUNKS_READY, type ChunkTally } from './chunk-receiver.js';
import { FrameMemory } from './frame-memory.js';
import { NewFragments } from './new-fragments.js';
import { OpenFragment } from './open-fragment.js';
import { OpenRecipe } from './open-recipe.js';
import { ProgressMeter, type SessionProgress } from './progress.js';
import { failureOf, type SessionFailure } from './session-end.js';
import type { Volume } from '../volumes/volume.js';

/** The copy of an image that a session writes. */
export interface WriteTask {
  readonly imageId: string;
  readonly copy: number;
  /** The fence of (image, copy). */
  readonly attempt: number;
  readonly client: string;
  readonly policy: string;
  readonly kind: string;
  /** Unix seconds. */
  readonly backupTime: number;
  /** Stored bytes of one fragment, seek table included. */
  readonly fragmentBytesMax: number;
  /** For the last manifest. */
  readonly details: ImageDetails;
  /** Behind the fragments that earlier attempts have committed. */
  readonly resume: ResumePoint;
}

/** How a session ended. Status 0: every fragment is committed. */
export interface WriteOutcome extends SessionFailure {
  /** Fragments that this session has sealed. */
  readonly fragments: number;
  /**
   * Of the copy's fragments, those of earlier attempts included. Where the volume deduplicates: of what came
   * in this session and was not there.
   */
  readonly storedBytes: number;
  /** As `SessionProgress` has them. */
  readonly waits: Pick<SessionProgress, 'waitsForFullBuffer' | 'waitsForEmptyBuffer'>;
  /** Where the volume deduplicates: what came. */
  readonly chunks?: Readonly<ChunkTally>;
  /** What FINISH said; missing if it did not come. */
  readonly totals?: Finish;
}

export interface WriteSessionOptions {
  readonly task: WriteTask;
  readonly volume: Volume;
  readonly offers: Pick<CommitOffers, 'add' | 'verdict'>;
  readonly clock: Clock;
  readonly onProgress?: (progress: SessionProgress) => void;
  readonly crashPoint?: CrashPoint;
}

/**
 * One connection that writes one copy of one image. For each fragment: INTENT in the journal, then
 * the bytes, each frame checked; at SEAL the seek table, digests, fsync, manifest, SEALED in the
 * journal; only then is the writer told, and the fragment offered to the catalog. The last fragment
 * is sealed when FINISH has brought the totals. DONE follows when every fragment is COMMITTED. A
 * session goes on where its task says; what is in front of that was committed by earlier attempts
 * and is not waited for. Where the volume deduplicates, a fragment may come as names of chunks instead
 * of frames; all else is the same.
 *
 * However it ends, what was sealed stays and is offered on, and what was not begun to be sealed is taken back.
 */
export class WriteSession {
  private copy: CopyProgress;
  private current: OpenFragment | OpenRecipe | undefined;
  private last: { fragment: OpenFragment | OpenRecipe; claim: Seal } | undefined;
  private receiver: ChunkReceiver | undefined;
  private sealing: Promise<void> = Promise.resolve();
  private readonly sealed: string[] = [];
  /** Of sealed fragments that came as frames. */
  private storedBytes = 0;
  private archiveBytes = 0;
  private totals: Finish | undefined;
  private connection: Connection | undefined;
  private cancelled: Error | undefined;
  private readonly crashPoint: CrashPoint;
  private readonly over = new AbortController();
  private readonly memory = new FrameMemory();
  private readonly fragments: NewFragments;

  constructor(private readonly options: WriteSessionOptions) {
    const { nextNumber, archiveOffset } = options.task.resume;
    this.copy = { nextNumber, archiveOffset, ended: false };
    this.crashPoint = options.crashPoint ?? noCrash;
    const { volume, offers, clock } = options;
    const { crashPoint, over } = this;
    this.fragments = new NewFragments({ volume, offers, clock, crashPoint, signal: over.signal });
  }

  /**
   * Serves the connection to its end. Never throws: the outcome says what happened, and the peer has
   * been told.
   */
  async run(connection: Connection): Promise<WriteOutcome> {
    this.connection = connection;
    connection.placePayloads(this.memory.place);
    const report = this.options.onProgress ?? (() => undefined);
    const meter = new ProgressMeter(() => this.progress(connection), report);
    try {
      if (this.cancelled) throw this.cancelled;
      const { volume, task } = this.options;
      const { chunks } = volume.store;
      if (chunks) this.receiver = new ChunkReceiver(chunks, task.client);
      await this.serve(connection, meter);
      await connection.sendJson(MESSAGE.DONE, {});
      return this.outcome({ status: STATUS.ok, message: '' });
    } catch (error) {
      const failure = failureOf(error);
      connection.reject(failure.status, failure.message);
      await this.letGo();
      return this.outcome(failure);
    } finally {
      await this.receiver?.end();
      this.memory.end();
      meter.end();
      connection.end();
    }
  }

  /** Ends the session from outside: the writer gets ERROR with this status. */
  cancel(): void {
    const reason = new Cancelled();
    this.cancelled = reason;
    this.over.abort();
    this.connection?.interrupt(reason);
  }

  private async serve(connection: Connection, meter: ProgressMeter): Promise<void> {
    const { fragmentBytesMax, resume } = this.options.task;
    const { nextNumber: nextFragment, archiveOffset } = resume;
    const ready = { fragmentBytesMax, nextFragment, archiveOffset };
    const chunks = this.receiver && { chunks: CHUNKS_READY };
    await connection.sendJson(MESSAGE.READY, { ...ready, ...chunks });
    for (;;) {
      const message = await connection.receive();
      if (!message) throw new ConnectionBroken('network connection broken by the writer');
      if (message.type === MESSAGE.FINISH) {
        await this.onFinish(connection, parsePayload(message, finish));
        return;
      }
      await this.onMessage(connection, message);
      meter.touch();
    }
  }

  private async onMessage(connection: Connection, message: Message): Promise<void> {
    switch (message.type) {
      case MESSAGE.INDEX:
        await (await this.fragment()).index(message);
        return;
      case MESSAGE.SEAL:
        await this.onSeal(connection, parsePayload(message, seal));
        return;
      case MESSAGE.FRAME:
        return this.onFrame(message);
      default:
        if (!this.receiver) throw unexpected(message);
        await this.onChunks(connection, message, this.receiver);
    }
  }

  /** Where the volume deduplicates, too: an agent need not know of chunks. */
  private async onFrame(message: Message): Promise<void> {
    const fragment = await this.fragment('frames');
    if (!(fragment instanceof OpenFragment)) throw unexpected(message);
    await fragment.frame(message, () => this.memory.giveBack(message.pieces));
    this.crashPoint('frame-written');
    this.archiveBytes += fragment.frames.at(-1)!.archiveBytes;
  }

  private async onChunks(
    connection: Connection,
    message: Message,
    receiver: ChunkReceiver,
  ): Promise<void> {
    switch (message.type) {
      case MESSAGE.ASK:
        return receiver.ask(message, connection);
      case MESSAGE.CHUNKS:
        await receiver.chunks(message);
        this.memory.giveBack(message.pieces);
        this.crashPoint('frame-written');
        return;
      case MESSAGE.RECIPE: {
        const fragment = await this.fragment();
        if (!(fragment instanceof OpenRecipe)) throw unexpected(message);
        this.archiveBytes += await fragment.names(message);
        return;
      }
      default:
        throw unexpected(message);
    }
  }

  /** The open fragment; a new one is in the journal before its first byte. */
  private async fragment(
    madeOf: 'frames' | 'chunks' = 'chunks',
  ): Promise<OpenFragment | OpenRecipe> {
    if (this.current) return this.current;
    if (this.copy.ended) throw outOfSequence('data came after the last fragment');
    const { imageId, copy, attempt, fragmentBytesMax } = this.options.task;
    const number = this.copy.nextNumber;
    const bytesMax = fragmentBytesMaxAt(number, fragmentBytesMax);
    const fragment = { imageId, copy, number, attempt, bytesMax };
    const receiver = madeOf === 'chunks' ? this.receiver : undefined;
    this.current = receiver
      ? new OpenRecipe(
          await receiver.begin(await this.fragments.announce(fragment)),
          receiver,
          bytesMax,
        )
      : new OpenFragment(await this.fragments.create(fragment), bytesMax);
    return this.current;
  }

  private async onSeal(connection: Connection, claim: Seal): Promise<void> {
    const fragment = this.current;
    if (!fragment) throw outOfSequence('SEAL came without a fragment');
    fragment.check(this.copy, claim);
    this.copy = {
      nextNumber: claim.number + 1,
      archiveOffset: claim.archiveOffset + claim.archiveBytes,
      ended: claim.last,
    };
    await this.sealing;
    this.current = undefined;
    if (claim.last) {
      this.last = { fragment, claim };
      return;
    }
    this.sealing = this.seal(connection, fragment, { claim });
    // The loop may be waiting for the writer, who waits for SEALED: wake it.
    this.sealing.catch((error: unknown) => connection.interrupt(error as Error));
  }

  private async seal(
    connection: Connection,
    fragment: OpenFragment | OpenRecipe,
    end: { claim: Seal; totals?: Finish },
  ): Promise<void> {
    const { fragmentId, number } = fragment.name;
    try {
      const manifest = await this.manifest(fragment, end);
      await this.fragments.seal(manifest, fragment);
      this.sealed.push(fragmentId);
      if (fragment instanceof OpenFragment) this.storedBytes += manifest.storedBytes;
    } catch (error) {
      await this.fragments.giveUp(fragment);
      throw error;
    }
    await connection.sendJson(MESSAGE.SEALED, { number, fragmentId });
  }

  private async manifest(
    fragment: OpenFragment | OpenRecipe,
    { claim, totals }: { claim: Seal; totals?: Finish },
  ): Promise<Manifest> {
    const { task } = this.options;
    const content = await fragment.complete();
    const { imageId, copy, number, fragmentId } = fragment.name;
    return {
      version: 1,
      fragmentId,
      imageId,
      copy,
      number,
      attempt: task.attempt,
      client: task.client,
      policy: task.policy,
      kind: totals?.kind ?? task.kind,
      backupTime: task.backupTime,
      archiveOffset: claim.archiveOffset,
      ...content,
      last: claim.last,
      ...(totals && { fragments: totals.fragments, files: totals.files, bytes: totals.bytes }),
      ...(totals && { image: task.details }),
    };
  }

  private async onFinish(connection: Connection, totals: Finish): Promise<void> {
    checkFinish(this.copy, totals.fragments, this.endedBefore());
    await this.sealing;
    if (this.last) {
      const { fragment, claim } = this.last;
      this.last = undefined;
      await this.seal(connection, fragment, { claim, totals });
    }
    this.totals = totals;
    const hangUp = this.hangUp(connection);
    hangUp.catch(() => undefined);
    for (const fragmentId of this.sealed) {
      const verdict = await Promise.race([this.options.offers.verdict(fragmentId), hangUp]);
      if (verdict !== 'COMMITTED') throw refusal(fragmentId, verdict);
    }
  }

  /** An earlier attempt may have come to the end of the archive, and failed after that. */
  private endedBefore(): boolean {
    const { nextNumber } = this.options.task.resume;
    return nextNumber > 1 && this.copy.nextNumber === nextNumber && !this.current;
  }

  /** Throws when the writer goes, or the session is cancelled, before DONE. */
  private async hangUp(connection: Connection): Promise<never> {
    const message = await connection.receive();
    if (message) throw new ProtocolError(`${messageName(message.type)} came after FINISH.`);
    throw new ConnectionBroken(
      'network connection broken by the writer, who did not wait for DONE',
    );
  }

  /** A seal that is under way is brought to its end; what is open is taken back. */
  private async letGo(): Promise<void> {
    await this.sealing.catch(() => undefined);
    for (const open of [this.current, this.last?.fragment]) {
      if (open) await this.fragments.giveUp(open);
    }
  }

  private progress(connection: Connection): SessionProgress {
    const { waitsForFullBuffer, waitsForEmptyBuffer } = connection.counters;
    const { archiveBytes, sealed, current } = this;
    const open = current instanceof OpenFragment ? current.storedBytes : 0;
    const storedBytes = this.writtenBytes() + open;
    const fragments = sealed.length;
    return { archiveBytes, storedBytes, fragments, waitsForFullBuffer, waitsForEmptyBuffer };
  }

  private writtenBytes(): number {
    const { storedBytes: before = 0 } = this.options.task.resume;
    return this.storedBytes + (this.receiver ? this.receiver.tally.newBytes : before);
  }

  private outcome(failure: SessionFailure): WriteOutcome {
    const { totals, receiver } = this;
    const storedBytes = this.writtenBytes();
    const chunks = receiver && { chunks: receiver.tally };
    const fragments = this.sealed.length;
    const { waitsForFullBuffer, waitsForEmptyBuffer } = this.connection!.counters;
    const waits = { waitsForFullBuffer, waitsForEmptyBuffer };
    return { ...failure, fragments, storedBytes, waits, ...chunks, ...(totals && { totals }) };
  }
}

function unexpected(message: Message): ProtocolError {
  return new ProtocolError(`A writer sent ${messageName(message.type)}.`);
}
