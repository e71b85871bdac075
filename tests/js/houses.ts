/** What tests of durable code share: houses that are closed after each test, killed and reopened in a word. */
import { TestClock } from 'holdfast';
import { afterEach } from 'vitest';
import { type House, openHouse } from './house.ts';

const houses: House[] = [];

export async function open(...args: Parameters<typeof openHouse>): Promise<House> {
  const house = await openHouse(...args);
  houses.push(house);
  return house;
}

export async function crash(house: House): Promise<House> {
  const next = await house.crash();
  houses.push(next);
  await next.orchestrator.ready;
  return next;
}

/** The same, and what can go on without time passing has. */
export async function crashAndSettle(house: House): Promise<House> {
  const next = await crash(house);
  await next.clock.settle();
  return next;
}

afterEach(async () => {
  for (const { orchestrator } of houses.splice(0)) await Promise.race([orchestrator.dispose(), new TestClock().settle()]);
});

let made = 0;
/** An id no other task of the file has. */
export const name = (text: string): string => `${text}-${++made}`;
