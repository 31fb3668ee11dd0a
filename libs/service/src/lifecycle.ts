/** Something that works on its own between start and stop: a consumer, a relay, a timer. */
export interface Startable {
  start(): void | Promise<void>;
  stop(): void | Promise<void>;
}

export type StartableClass = abstract new (...args: never[]) => Startable;
