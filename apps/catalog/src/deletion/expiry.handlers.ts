import { Controller } from '@nestjs/common';
import { imageExpire, imageHold, imageUndelete } from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Answers } from '#messaging/answers.js';
import { Expiry } from './expiry.js';
import { SecondThoughts } from './second-thoughts.js';

/** What people want to be rid of, or to keep. */
@Controller()
export class ExpiryHandlers {
  constructor(
    private readonly expiry: Expiry,
    private readonly secondThoughts: SecondThoughts,
  ) {}

  @Answers(imageExpire)
  expire(request: RequestOf<typeof imageExpire>): Promise<ResponseOf<typeof imageExpire>> {
    return this.expiry.expire(request);
  }

  @Answers(imageUndelete)
  undelete(request: RequestOf<typeof imageUndelete>): Promise<ResponseOf<typeof imageUndelete>> {
    return this.secondThoughts.undelete(request);
  }

  @Answers(imageHold)
  hold(request: RequestOf<typeof imageHold>): Promise<ResponseOf<typeof imageHold>> {
    return this.secondThoughts.hold(request);
  }
}
