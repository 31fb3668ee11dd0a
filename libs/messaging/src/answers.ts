import { MessagePattern } from '@nestjs/microservices';
import type { Endpoint, RequestOf, ResponseOf } from '#contracts/contract.js';

type Handler<E extends Endpoint> = (request: RequestOf<E>) => Promise<ResponseOf<E>>;

/** Binds a method to an endpoint; the compiler checks its argument and its result. */
export function Answers<E extends Endpoint>(endpoint: E) {
  const bind = MessagePattern(endpoint.subject, undefined, { endpoint });
  return (target: object, key: string, descriptor: TypedPropertyDescriptor<Handler<E>>): void => {
    bind(target, key, descriptor as PropertyDescriptor);
  };
}
