/**
 * Houses that are closed after the test that opened them, killed and reopened in a word.
 * What a test has stubbed or mocked stands until they are closed.
 */
import { TestClock } from 'holdfast';
import { afterEach, vi } from 'vitest';
import { type House, openHouse } from './house.ts';

const houses: House[] = [];

/** Closes it after the test, whoever has opened it. */
export function closeLater(house: House): House {
  houses.push(house);
  return house;
}

/** The next life of a house: `again(house.crash())`, `again(house.reload())`. */
export async function again(house: Promise<House>): Promise<House> {
  return closeLater(await house);
}

export function open(...args: Parameters<typeof openHouse>): Promise<House> {
  return again(openHouse(...args));
}

export function crash(house: House, ...args: Parameters<House['crash']>): Promise<House> {
  return again(house.crash(...args));
}

/** The same, and what can go on without time passing has. */
export async function crashAndSettle(house: House): Promise<House> {
  const next = await crash(house);
  await next.clock.settle();
  return next;
}

export async function closeHouses(): Promise<void> {
  for (const { orchestrator } of houses.splice(0)) await Promise.race([orchestrator.dispose(), new TestClock().settle()]);
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
}
afterEach(closeHouses);

let made = 0;
/** An id no other task of the file has. */
export const name = (text: string): string => `${text}-${++made}`;
