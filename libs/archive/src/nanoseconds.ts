const NANOS_PER_SECOND = 1_000_000_000;

/** A time as decimal nanoseconds since 1970, from whole seconds (rounded down) and the rest. */
export function nanosecondsText(seconds: number, nanos: number): string {
  if (seconds > 0) return `${seconds}${nineDigits(nanos)}`;
  return String(BigInt(seconds) * BigInt(NANOS_PER_SECOND) + BigInt(nanos));
}

/** The way back. @throws SyntaxError if it is not a whole number. */
export function splitNanoseconds(text: string): { seconds: number; nanos: number } {
  const total = BigInt(text);
  const rest = Number(total % BigInt(NANOS_PER_SECOND));
  const seconds = Number(total / BigInt(NANOS_PER_SECOND));
  return rest < 0
    ? { seconds: seconds - 1, nanos: rest + NANOS_PER_SECOND }
    : { seconds, nanos: rest };
}

/** A time as pax has it: decimal seconds with nine digits of fraction, or none if it is zero. */
export function paxTime(seconds: number, nanos: number): string {
  if (nanos === 0) return String(seconds);
  if (seconds >= 0) return `${seconds}.${nineDigits(nanos)}`;
  return `-${-(seconds + 1)}.${nineDigits(NANOS_PER_SECOND - nanos)}`;
}

/** Digits of the fraction beyond the ninth are cut. @throws Error if it is no decimal number. */
export function parsePaxTime(text: string): { seconds: number; nanos: number } {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a time`);
  const whole = Number(match[2]);
  const nanos = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (!match[1]) return { seconds: whole, nanos };
  return nanos === 0
    ? { seconds: 0 - whole, nanos: 0 }
    : { seconds: -whole - 1, nanos: NANOS_PER_SECOND - nanos };
}

function nineDigits(nanos: number): string {
  return String(nanos + NANOS_PER_SECOND).slice(1);
}
