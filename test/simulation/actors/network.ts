import { PermanentError, Unavailable } from '#kernel/errors.js';
import type { Chance } from '../kernel/chance.js';
import type { Life } from '../kernel/host.js';
import { Violation, type World } from '../kernel/world.js';
import { BrokerError } from '../parts/broker.js';
import { DatabaseError } from '../parts/database.js';

/**
 * The ways on which hosts reach each other. `hub`: the broker, and through it every service. `data`:
 * the data ports of media servers.
 */
export type Plane = 'hub' | 'data';

/** Answers a request; what it throws is told to whoever asked. */
export type Handler = (request: unknown) => Promise<unknown>;

interface Server {
  readonly life: Life;
  readonly handle: Handler;
}

const ANSWER_MS_MAX = 5_000;
const TRAVEL_MS_MAX = 4;
const CUT_MS_MAX = 120_000;
const STRAGGLER_MS_MAX = 90_000;

/** Requests and answers between hosts, and the cuts between them. */
export class Network {
  private readonly servers = new Map<string, Server[]>();
  private readonly cutUntil = new Map<string, number>();

  private listeners: { readonly life: Life; readonly listener: () => void }[] = [];

  constructor(private readonly world: World) {}

  cut(host: string, plane: Plane, chance: Chance): void {
    const ms = chance.between(1_000, CUT_MS_MAX);
    this.world.note(() => `${host} is cut off from ${plane} for ${ms} ms`);
    this.cutUntil.set(`${host} ${plane}`, this.world.now + ms);
    this.world.after(ms, () => this.tellWhoIsBack());
  }

  /** All cuts are mended. */
  heal(): void {
    this.cutUntil.clear();
    this.tellWhoIsBack();
  }

  /** Told whenever the program may reach the broker again. */
  whenBack(life: Life, listener: () => void): void {
    this.listeners = this.listeners.filter((each) => !each.life.isOver);
    this.listeners.push({ life, listener });
  }

  reaches(host: string, plane: Plane): boolean {
    return (this.cutUntil.get(`${host} ${plane}`) ?? 0) <= this.world.now;
  }

  serve(life: Life, subject: string, handle: Handler): void {
    const alive = (this.servers.get(subject) ?? []).filter((each) => !each.life.isOver);
    this.servers.set(subject, [...alive, { life, handle }]);
  }

  /** Asks whoever serves the subject. Throws `Unavailable` when no answer comes in time. */
  async request(
    life: Life,
    way: { readonly plane: Plane; readonly subject: string },
    payload: unknown,
  ): Promise<unknown> {
    const { subject } = way;
    const text = JSON.stringify(payload ?? null);
    return new Promise((resolve, reject) => {
      let isOpen = true;
      life.later(ANSWER_MS_MAX, () => {
        if (!isOpen) return false;
        return reject(new Unavailable(`${subject}: no answer`));
      });
      const answered = (outcome: Outcome): void =>
        life.soon(() => {
          isOpen = false;
          if (outcome.error) reject(outcome.error);
          else resolve(parsed(outcome.text));
        });
      life
        .effect(`asks ${subject}`, () => this.send(life, { ...way, text, answered }))
        .catch(reject);
    });
  }

  /** The broker can be reached again, by some at least. */
  tellWhoIsBack(): void {
    for (const { life, listener } of this.listeners) {
      if (this.reaches(life.host.name, 'hub')) life.later(0, listener);
    }
  }

  private send(life: Life, message: Message): void {
    const { faults } = this.world;
    const { name } = life.host;
    if (!this.reaches(name, message.plane) || faults.strikes('request-lost', name)) return;
    this.travel(() => this.arrive(life, message));
    const again = faults.strikes('request-doubled', name);
    if (again) {
      this.world.after(again.between(0, STRAGGLER_MS_MAX), () => this.arrive(life, message));
    }
  }

  private arrive(life: Life, message: Message): void {
    const { subject, plane } = message;
    const alive = (this.servers.get(subject) ?? []).filter(
      (each) => !each.life.isOver && this.reaches(each.life.host.name, plane),
    );
    if (alive.length === 0) {
      this.travel(() =>
        message.answered({ error: new Unavailable(`${subject}: nobody is there`) }),
      );
      return;
    }
    const { life: server, handle } = this.world.chance.pick(alive);
    const work = (): Promise<void> =>
      outcomeOf(handle, message.text).then((outcome) => {
        if (server.isOver) return;
        const { name } = server.host;
        if (outcome.bug) throw outcome.error;
        if (!this.reaches(name, plane) || this.world.faults.strikes('answer-lost', name)) return;
        this.travel(() => {
          if (this.reaches(life.host.name, plane)) message.answered(outcome);
        });
      });
    server.soon(() => server.spawn(subject, work));
  }

  private travel(arrive: () => void): void {
    this.world.after(this.world.chance.next() * TRAVEL_MS_MAX, arrive);
  }
}

interface Message {
  readonly plane: Plane;
  readonly subject: string;
  readonly text: string;
  readonly answered: (outcome: Outcome) => void;
}

interface Outcome {
  readonly text?: string;
  readonly error?: Error;
  readonly bug?: boolean;
}

async function outcomeOf(handle: Handler, text: string): Promise<Outcome> {
  try {
    return { text: JSON.stringify((await handle(JSON.parse(text))) ?? null) };
  } catch (error) {
    if (error instanceof PermanentError || error instanceof Unavailable) return { error };
    if (isOutage(error)) return { error: new Unavailable(String(error)) };
    return { error: error as Error, bug: true };
  }
}

/** What comes of faults around a service, not of a bug in it. */
export function isOutage(error: unknown): boolean {
  if (error instanceof Violation) return false;
  const isTheirs = error instanceof BrokerError || error instanceof DatabaseError;
  return isTheirs || error instanceof Unavailable;
}

function parsed(text: string | undefined): unknown {
  return JSON.parse(text ?? 'null');
}
