import type { Socket } from 'node:net';
import { ConnectionBroken, PeerFailure, PeerSilent } from './errors.js';
import type { PlacePayload } from './message-decoder.js';
import { SocketIntake } from './socket-intake.js';
import { MESSAGE, messageHeader, type Message, type MessageType } from './message.js';
import { failure, jsonPayload, parsePayload } from './payloads.js';

export interface ConnectionOptions {
  /** How many bytes may wait in each direction before the faster side has to. Default 8 MiB. */
  readonly ringBytes: number;
  /** The timers' unit; a test makes it short. Default 1 s. */
  readonly tickMs: number;
}

export const CONNECTION_DEFAULTS: ConnectionOptions = {
  ringBytes: 8 * 1024 * 1024,
  tickMs: 1_000,
};

/** Ticks without sending after which a PING goes out (5 s). */
export const PING_AFTER_TICKS = 5;
/** Ticks without hearing anything after which the connection ends (30 s). */
export const SILENT_TICKS_MAX = 30;
/** How long an ended connection still swallows what comes, so that the peer can read the ERROR. */
const LINGER_TICKS = 5;

/**
 * Bytes that a message takes in memory beside its payload, so that empty ones hold the peer back, too: 139 were measured
 * without a payload, 406 with one.
 */
const MESSAGE_OVERHEAD_BYTES = 512;

/** How a connection's two rings of buffers did, as administrators of such systems expect. */
export interface RingCounters {
  bytesReceived: number;
  bytesSent: number;
  /** Times that the consumer of incoming messages found none. */
  waitsForFullBuffer: number;
  /** Times that the network had to be held back since the consumer was behind. */
  waitsForEmptyBuffer: number;
  /** Times that a sender had to wait for the network. */
  waitsToSend: number;
}

/**
 * One end of a data connection over any `net.Socket` (a `tls.TLSSocket` is one).
 *
 * - `receive` gives the messages in order; PING is kept to itself, ERROR is thrown as `PeerFailure`.
 * - Both directions hold back: what was received and not yet taken, and what was sent and not yet
 *   gone, stay within `ringBytes` (and one message).
 * - A PING goes out after 5 s without sending; 30 s without hearing anything end the connection
 *   with `PeerSilent`. While this end itself holds the network back it cannot hear and does not
 *   count. Ticks are counted instead of asking a clock: a process that was stopped for a minute
 *   does not find its peer silent when it wakes.
 */
export class Connection {
  readonly counters: RingCounters = {
    bytesReceived: 0,
    bytesSent: 0,
    waitsForFullBuffer: 0,
    waitsForEmptyBuffer: 0,
    waitsToSend: 0,
  };
  private readonly options: ConnectionOptions;
  private readonly timer: NodeJS.Timeout;
  private readonly incoming: Message[] = [];
  private incomingBytes = 0;
  private outgoingBytes = 0;
  private heldBack = false;
  private ended = false;
  private lingering = false;
  private failure: Error | undefined;
  private ticksSilent = 0;
  private ticksUnsent = 0;
  private receiver: (() => void) | undefined;
  private senders: (() => void)[] = [];
  private closers: (() => void)[] = [];

  constructor(
    private readonly socket: Socket,
    options: Partial<ConnectionOptions> = {},
    private readonly intake = new SocketIntake(),
  ) {
    this.options = { ...CONNECTION_DEFAULTS, ...options };
    socket.setNoDelay(true);
    intake.start(socket, (bytes, decode) => this.onBytes(bytes, decode));
    socket.on('end', () => this.onEnd());
    socket.on('error', (error) => {
      this.fail(
        new ConnectionBroken(`network connection broken: ${error.message}`, { cause: error }),
      );
    });
    socket.on('close', () => this.onClose());
    this.timer = setInterval(() => this.onTick(), this.options.tickMs);
  }

  /** Bounds the messages that are accepted from now on; for a peer that has not said HELLO yet. */
  limitMessages(bytesMax: number): void {
    this.intake.decoder.bytesMax = bytesMax;
  }

  /** Says where payloads go that come from now on: such memory is then the only piece of its message. */
  placePayloads(place: PlacePayload): void {
    this.intake.decoder.place = place;
  }

  /** Resolves when the socket is gone, however that came. */
  closed(): Promise<void> {
    if (this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.closers.push(resolve));
  }

  /**
   * The next message; undefined when the peer ended the connection between two messages. What came
   * before a failure is given first. Throws `PeerFailure`, `PeerSilent`, `ConnectionBroken` or
   * `ProtocolError`. One caller at a time.
   */
  async receive(): Promise<Message | undefined> {
    if (this.incoming.length === 0 && !this.failure && !this.ended) {
      this.counters.waitsForFullBuffer += 1;
      while (this.incoming.length === 0 && !this.failure && !this.ended) {
        await new Promise<void>((resolve) => (this.receiver = resolve));
      }
    }
    const message = this.incoming.shift();
    if (message) {
      this.incomingBytes -= message.length + MESSAGE_OVERHEAD_BYTES;
      if (this.heldBack && this.incomingBytes <= this.options.ringBytes / 2) this.letGo();
      return message;
    }
    if (this.failure) throw this.failure;
    return undefined;
  }

  /**
   * Sends a message. `parts` belong to the connection from now on: they must not change. Resolves
   * when there is room for more. Throws what ended the connection, if something did.
   */
  async send(type: MessageType, ...parts: readonly Buffer[]): Promise<void> {
    await this.sendRaw([headerOf(type, parts), ...parts]);
  }

  /** Like `send`; `gone` is called when the parts are the caller's again, at the end of the connection at the latest. */
  async lend(type: MessageType, parts: readonly Buffer[], gone: () => void): Promise<void> {
    await this.sendRaw([headerOf(type, parts), ...parts], gone);
  }

  /** Sends a message with a JSON payload. */
  sendJson(type: MessageType, value: unknown): Promise<void> {
    return this.send(type, jsonPayload(value));
  }

  /** Sends buffers that are a whole message, header included. Otherwise like `send`. */
  async sendRaw(buffers: readonly Buffer[], gone?: () => void): Promise<void> {
    const over = this.failure ?? this.endOf();
    if (over) {
      gone?.();
      throw over;
    }
    this.write(buffers, gone);
    if (this.outgoingBytes <= this.options.ringBytes) return;
    this.counters.waitsToSend += 1;
    while (this.outgoingBytes > this.options.ringBytes && !this.failure) {
      await new Promise<void>((resolve) => this.senders.push(resolve));
    }
    if (this.failure) throw this.failure;
  }

  private endOf(): ConnectionBroken | undefined {
    if (!this.ended && !this.socket.destroyed && !this.socket.writableEnded) return undefined;
    return new ConnectionBroken('network connection broken: it has ended');
  }

  /** Ends in order: what was sent still goes out. */
  end(): void {
    if (!this.socket.writableEnded) this.socket.end();
    this.linger();
  }

  /** Says ERROR and ends. The peer gets a few seconds to read it: what it still sends is swallowed. */
  reject(status: number, message: string): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    const payload = jsonPayload({ status, message: message.slice(0, 4_000) });
    this.write([messageHeader(MESSAGE.ERROR, payload.length), payload]);
    this.end();
  }

  /** Cuts the connection at once; `receive` and `send` throw `reason` from now on. */
  destroy(reason: Error = new ConnectionBroken('network connection broken: closed here')): void {
    this.fail(reason);
  }

  /** Makes `receive` and `send` throw `reason` while `reject` can still say it to the peer. */
  interrupt(reason: Error): void {
    this.stop(reason);
  }

  private write(buffers: readonly Buffer[], then?: () => void): void {
    let bytes = 0;
    for (const buffer of buffers) bytes += buffer.length;
    this.outgoingBytes += bytes;
    this.counters.bytesSent += bytes;
    this.ticksUnsent = 0;
    const gone = () => {
      this.outgoingBytes -= bytes;
      then?.();
      this.wakeSenders();
    };
    this.socket.cork();
    buffers.forEach((buffer, index) => {
      if (index === buffers.length - 1) this.socket.write(buffer, gone);
      else this.socket.write(buffer);
    });
    this.socket.uncork();
  }

  private onBytes(bytes: number, decode: (deliver: (message: Message) => void) => void): void {
    this.ticksSilent = 0;
    this.counters.bytesReceived += bytes;
    if (this.lingering || this.failure) return;
    try {
      decode((message) => this.onMessage(message));
    } catch (error) {
      this.stop(error as Error);
      return;
    }
    if (this.incomingBytes > this.options.ringBytes && !this.heldBack) {
      this.heldBack = true;
      this.counters.waitsForEmptyBuffer += 1;
      this.socket.pause();
    }
  }

  private onMessage(message: Message): void {
    if (message.type === MESSAGE.PING || this.failure) return;
    if (message.type === MESSAGE.ERROR) {
      const { status, message: text } = parsePayload(message, failure);
      this.fail(new PeerFailure(status, text));
      return;
    }
    this.incoming.push(message);
    this.incomingBytes += message.length + MESSAGE_OVERHEAD_BYTES;
    this.wakeReceiver();
  }

  private onEnd(): void {
    if (!this.intake.decoder.isBetweenMessages) {
      this.fail(new ConnectionBroken('network connection broken in the middle of a message'));
    }
    this.ended = true;
    this.wakeReceiver();
  }

  private onClose(): void {
    clearInterval(this.timer);
    if (!this.ended && !this.failure) {
      this.failure = new ConnectionBroken('network connection broken');
    }
    this.wakeReceiver();
    this.wakeSenders();
    for (const closer of this.closers.splice(0)) closer();
  }

  private onTick(): void {
    this.ticksUnsent += 1;
    if (!this.heldBack) this.ticksSilent += 1;
    if (this.lingering) {
      if (this.ticksSilent > LINGER_TICKS || this.ticksUnsent > LINGER_TICKS) this.socket.destroy();
      return;
    }
    if (this.ticksSilent >= SILENT_TICKS_MAX) {
      this.fail(new PeerSilent(`network connection timed out: silent for ${SILENT_TICKS_MAX} s`));
    } else if (this.ticksUnsent >= PING_AFTER_TICKS && this.outgoingBytes === 0) {
      if (!this.socket.writableEnded) this.write([messageHeader(MESSAGE.PING, 0)]);
    }
  }

  private letGo(): void {
    this.heldBack = false;
    this.ticksSilent = 0;
    this.socket.resume();
  }

  private linger(): void {
    this.lingering = true;
    this.ticksUnsent = 0;
    if (this.heldBack) this.letGo();
  }

  /** Like `fail`, but the socket stays open for the ERROR that the caller will send. */
  private stop(error: Error): void {
    this.failure ??= error;
    this.wakeReceiver();
    this.wakeSenders();
  }

  private fail(error: Error): void {
    this.stop(error);
    this.socket.destroy();
  }

  private wakeReceiver(): void {
    this.receiver?.();
    this.receiver = undefined;
  }

  private wakeSenders(): void {
    for (const sender of this.senders.splice(0)) sender();
  }
}

function headerOf(type: MessageType, parts: readonly Buffer[]): Buffer {
  let payloadBytes = 0;
  for (const part of parts) payloadBytes += part.length;
  return messageHeader(type, payloadBytes);
}
