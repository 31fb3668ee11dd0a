/** The time, handed in so that tests and the simulator own it. It is its own injection token. */
export abstract class Clock {
  abstract now(): Date;
}

/** The machine's clock: the only place that asks for it. */
export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }
}

/** A clock that stands still until it is told otherwise. */
export class FixedClock extends Clock {
  constructor(private time: Date) {
    super();
  }

  now(): Date {
    return this.time;
  }

  advance(ms: number): void {
    this.time = new Date(this.time.getTime() + ms);
  }
}
