"""How serving performance is measured: one generator drives the candidate and the reference in turns, and pure
functions turn what it recorded into a verdict.

    plan        what the generator is asked to do, and what it saw: plain records that cross the process border as JSON
    driver      the generator: Locust in a process of its own
    generator   our side of that process: starts it, asks it, ends it
    pool        requests made beforehand from the secret seed, and whether answers are right
    noise       what else the machine was doing, and when that makes a result void
    slices      statistics: the ratio, its interval, the binomial rule
    settings    every window, rate and limit
    rounds, objective, strain   the phases
    findings    what a run of the phases says about the candidate
"""
