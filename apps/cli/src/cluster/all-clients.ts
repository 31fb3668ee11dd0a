import { brokerClients } from '#contracts/broker.js';
import type { ResponseOf } from '#contracts/contract.js';
import type { Cluster } from './cluster.js';

export type Client = ResponseOf<typeof brokerClients>['clients'][number];

/** All pages of the list. */
export async function allClients(cluster: Cluster, timeoutMs?: number): Promise<Client[]> {
  let page = await cluster.ask(brokerClients, {}, timeoutMs);
  const clients = [...page.clients];
  while (page.next !== null) {
    page = await cluster.ask(brokerClients, { after: page.next }, timeoutMs);
    clients.push(...page.clients);
  }
  return clients;
}
