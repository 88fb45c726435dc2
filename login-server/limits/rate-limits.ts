/** What one address or account may do, and how often. Generous: it stops floods, not people behind one NAT. */
import { type Rate, RateLimiter, type Sharing } from "./rate-limiter.ts";

export interface RateOptions {
  /** Registrations begun, and finished, per address. */
  readonly registration: Rate;
  /** Logins begun, per address: guesses at passwords. */
  readonly login: Rate;
  /** Logins begun, per account: guesses from many addresses. */
  readonly loginAccount: Rate;
  /** Recoveries begun, and proved, per address. The key has 136 bits: this is for the work, not against guessing. */
  readonly recovery: Rate;
  /** Enrolments, per address: guesses at the token. */
  readonly enrolment: Rate;
  /** Sessions opened, per address. */
  readonly session: Rate;
  /** Requests within one session. */
  readonly request: Rate;
  /** Buddy requests, per account: asking everybody there is. */
  readonly buddyRequest: Rate;
  /** The same to one person: pestering somebody who has declined. */
  readonly buddyRequestAgain: Rate;
  /** Tickets for a desktop supernode, per account: one for each start or change of address, two a day otherwise. */
  readonly supernodeTicket: Rate;
}

export const DEFAULT_RATES: RateOptions = {
  registration: { burst: 1_000, perSecond: 2 },
  login: { burst: 1_000, perSecond: 10 },
  loginAccount: { burst: 100, perSecond: 0.1 },
  recovery: { burst: 50, perSecond: 1 },
  enrolment: { burst: 200, perSecond: 2 },
  session: { burst: 5_000, perSecond: 100 },
  request: { burst: 500, perSecond: 50 },
  buddyRequest: { burst: 500, perSecond: 0.1 },
  buddyRequestAgain: { burst: 20, perSecond: 1 / 1_800 },
  supernodeTicket: { burst: 20, perSecond: 1 / 600 },
};

export type RateLimits = { readonly [K in keyof RateOptions]: RateLimiter };

/** @param share how a limit is kept together with other instances; null: it is not */
export function rateLimits(
  options: RateOptions,
  now: () => number,
  share: (limit: keyof RateOptions) => Sharing | null = () => null,
): RateLimits {
  const limiter = (limit: keyof RateOptions) => new RateLimiter(options[limit], now, undefined, share(limit));
  return {
    registration: limiter("registration"),
    login: limiter("login"),
    loginAccount: limiter("loginAccount"),
    recovery: limiter("recovery"),
    enrolment: limiter("enrolment"),
    session: limiter("session"),
    // A session is at one instance.
    request: new RateLimiter(options.request, now),
    buddyRequest: limiter("buddyRequest"),
    buddyRequestAgain: limiter("buddyRequestAgain"),
    supernodeTicket: limiter("supernodeTicket"),
  };
}
