import type { ValueTransformer } from 'typeorm';

/** pg hands bigint over as text; ours are safe integers (byte counts, job numbers). */
export const bigInteger: ValueTransformer = {
  to: (value: number | null) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
