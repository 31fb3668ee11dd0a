import { backoffMs } from '#kernel/backoff.js';

export interface OfferSettings {
  /** From a publish to the next one of the same fragment when no receipt comes; it doubles. */
  readonly resendFirstMs: number;
  readonly resendMaxMs: number;
  /** From a failed publish to the next try; it doubles up to `resendMaxMs`. */
  readonly retryFirstMs: number;
  /** Share of each delay that is left to chance. */
  readonly jitter: number;
}

export const OFFER_DEFAULTS: OfferSettings = {
  resendFirstMs: 30_000,
  resendMaxMs: 300_000,
  retryFirstMs: 1_000,
  jitter: 0.3,
};

/** Receipts that may fail to come before the catalog is asked directly. */
const RECEIPTS_MISSED_MAX = 2;
/** Times that the catalog may not know the image before whoever waits for a verdict is told. */
export const UNKNOWN_IMAGE_MAX = 5;

/**
 * How far the offer of one sealed fragment has come. It lives from SEALED to its verdict, in memory
 * only: a restart offers everything again.
 *
 * `due`: is to be published. `publishing`: is on its way to the broker. `waiting`: the broker has it
 * or not, who knows; at `dueAt` it is published again.
 */
export interface Offer {
  readonly phase: 'due' | 'publishing' | 'waiting';
  /** Unix milliseconds; counts while waiting. */
  readonly dueAt: number;
  /** Publishes since the last sign of life of broker and catalog; it sets the delay. */
  readonly rounds: number;
  readonly receiptsMissed: number;
  readonly unknownImage: number;
}

export const NEW_OFFER: Offer = {
  phase: 'due',
  dueAt: 0,
  rounds: 0,
  receiptsMissed: 0,
  unknownImage: 0,
};

/**
 * `taken`: its publish began. `published`: the broker acknowledged, which only arms the timer.
 * `publishFailed`: it did not. `tick`: time passed. `reconnected`: the broker is back.
 * `unknownImage`: the catalog lacks the image.
 */
export type OfferInput =
  'taken' | 'published' | 'publishFailed' | 'tick' | 'reconnected' | 'unknownImage';

export interface OfferStep {
  readonly offer: Offer;
  /** The catalog is to be asked for its verdict, past the broker. */
  readonly ask: boolean;
}

export interface OfferContext {
  /** Unix milliseconds. */
  readonly now: number;
  /** 0 to 1. */
  readonly chance: number;
  readonly settings: OfferSettings;
}

/** What becomes of an offer. Every way leads back to `due`: only a verdict ends it. */
export function stepOffer(offer: Offer, input: OfferInput, context: OfferContext): OfferStep {
  switch (input) {
    case 'taken':
      return quietly(offer.phase === 'due' ? { ...offer, phase: 'publishing' } : offer);
    case 'published':
    case 'publishFailed':
      if (offer.phase !== 'publishing') return quietly(offer);
      return quietly(armed(offer, input, context));
    case 'tick':
      return offer.phase === 'waiting' && isDue(offer, context) ? missed(offer) : quietly(offer);
    case 'reconnected':
      return quietly(offer.phase === 'waiting' ? { ...offer, phase: 'due', rounds: 0 } : offer);
    case 'unknownImage': {
      // It answered, so nothing is missing; the next offer comes after the delay.
      const heard = { ...offer, receiptsMissed: 0, unknownImage: offer.unknownImage + 1 };
      return quietly(offer.phase === 'publishing' ? heard : armed(heard, 'published', context));
    }
    default:
      return input satisfies never;
  }
}

/** Further away than any delay is a moment of a clock that was put back since. */
function isDue({ dueAt }: Offer, { now, settings }: OfferContext): boolean {
  return now >= dueAt || dueAt - now > settings.resendMaxMs;
}

function armed(offer: Offer, after: 'published' | 'publishFailed', context: OfferContext): Offer {
  const { settings, now, chance } = context;
  const rounds = offer.rounds + 1;
  const delay = backoffMs(
    rounds,
    {
      firstMs: after === 'published' ? settings.resendFirstMs : settings.retryFirstMs,
      maxMs: settings.resendMaxMs,
      jitter: settings.jitter,
    },
    chance,
  );
  return { ...offer, phase: 'waiting', rounds, dueAt: now + delay };
}

function missed(offer: Offer): OfferStep {
  const receiptsMissed = offer.receiptsMissed + 1;
  return {
    offer: { ...offer, phase: 'due', receiptsMissed },
    ask: receiptsMissed >= RECEIPTS_MISSED_MAX,
  };
}

function quietly(offer: Offer): OfferStep {
  return { offer, ask: false };
}
