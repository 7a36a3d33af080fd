//! Prints how soon each cheat is found, how often honest nodes are wronged, and how often a ring of
//! witnesses has the majority: `cargo run -p acre-capacity --example cheats [seeds [part]]`, where part is a
//! piece of a cheat's name, or `rings` for all but cheats. Time is virtual; three seeds take some minutes
//! of one core.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints and may stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::time::Duration;

use world::Net;
use world::node::Behaviour;
use world::scenes::{Outcome, captured, captured_by_formula, rings, run, scenes};
use world::shared::{believed, machines};

const EPOCHS: u32 = 10;

/// The same scene for each seed, summed up in one line.
fn row(name: &str, outcomes: &[Outcome]) {
    let sum = |field: &dyn Fn(&Outcome) -> u32| -> f64 {
        outcomes.iter().map(|outcome| f64::from(field(outcome))).sum()
    };
    let found = 100.0 * sum(&|o| o.found) / sum(&|o| o.cheating);
    let at_once = 100.0 * sum(&|o| o.found_at_once) / sum(&|o| o.cheats);
    let wronged = 100.0 * sum(&|o| o.punished) / sum(&|o| o.honest);
    let count = u64::try_from(outcomes.len()).unwrap();
    let solid = outcomes.iter().map(|o| o.solid_percent).sum::<u64>() / count;
    let believed = outcomes.iter().map(|o| o.believed_percent).sum::<u64>() / count;
    let last: Option<Vec<u32>> = outcomes.iter().map(|o| o.all_found_after).collect();
    let last = last.and_then(|last| last.into_iter().max());
    let last = last.map_or_else(|| "never".to_owned(), |epochs| format!("epoch {epochs}"));
    println!(
        "{name:<40} {found:>6.1} %  {at_once:>6.1} %   {last:<9} {believed:>5} %  {solid:>5} %  {wronged:>7.2} %"
    );
}

fn main() {
    let seeds: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    println!(
        "4 cheats among 20 honest nodes, 3 witnesses each, 6 visits of 8 samples, {EPOCHS} epochs, {seeds} seeds"
    );
    println!("{:<40} found in   in the     last one  believed  solid    honest", "cheat");
    println!("{:<40} an epoch   first      found in  of claim  of it    wronged", "");
    let wanted = std::env::args().nth(2).unwrap_or_default();
    for (name, kind) in scenes().into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let one = |seed| run(Net::new(seed), kind, 4, 20, EPOCHS);
        row(name, &(1..=seeds).map(one).collect::<Vec<_>>());
    }
    if !wanted.is_empty() && wanted != "rings" {
        return;
    }

    println!("\nrings that keep a tenth, praise each other and blame all others:");
    for (witnesses, ring, all) in rings() {
        let one = |seed| {
            run(Net { witnesses, ..Net::new(seed) }, Behaviour::Ring, ring, all - ring, EPOCHS)
        };
        let share = 100 * ring / all;
        let name = format!("{ring} of {all} nodes ({share} %), k = {witnesses}");
        row(&name, &(1..=seeds).map(one).collect::<Vec<_>>());
    }

    println!("\none machine of 64 cores at a muster, as many nodes as it likes:");
    println!("{:<44} cores believed  lanes believed", "it pretends to be");
    for (name, machine) in machines() {
        let (cores, lanes) = believed(machine);
        println!("{name:<44} {cores:>8} of 64 {lanes:>9} of 256");
    }

    println!("\nhonest nodes under loss (24 nodes, 10 epochs, {seeds} seeds):");
    println!("calls lost   mean answered   wronged node-epochs");
    for loss_permille in [0, 10, 50, 100, 200] {
        let (mut honest, mut punished) = (0, 0);
        for seed in 1..=seeds {
            let net = Net { loss_permille, ..Net::new(seed) };
            let outcome = run(net, Behaviour::Honest, 0, 24, EPOCHS);
            honest += outcome.honest;
            punished += outcome.punished;
        }
        let lost = f64::from(u32::try_from(loss_permille).unwrap()) / 1000.0;
        let answered = 100.0 * (1.0 - lost * lost);
        let wronged = 100.0 * f64::from(punished) / f64::from(honest);
        println!("{:>8.0} % {answered:>14.2} % {wronged:>20.2} %", 100.0 * lost);
    }

    println!("\nslow links, honest nodes (deadline 2 s):");
    for most in [250, 1000, 1900, 2500] {
        let round_trip = (Duration::from_millis(20), Duration::from_millis(most));
        let net = Net { round_trip, ..Net::new(1) };
        let outcome = run(net, Behaviour::Honest, 0, 24, EPOCHS);
        let wronged = 100.0 * f64::from(outcome.punished) / f64::from(outcome.honest);
        println!("round trips up to {most:>5} ms: {wronged:>6.2} % wronged");
    }

    println!("\nshare of epochs in which a ring has the majority about one of its own:");
    println!("ring of all     k = 3     k = 5     k = 7     k = 9   (drawn / formula, %)");
    for ring in [5, 10, 15, 20, 25, 33] {
        let row: Vec<String> = [3, 5, 7, 9]
            .into_iter()
            .map(|k| {
                let drawn = captured(k, ring, 1_000_000) as f64 / 10_000.0;
                format!("{drawn:>6.2}/{:<5.2}", 100.0 * captured_by_formula(k, ring))
            })
            .collect();
        println!("{ring:>8} %  {}", row.join(" "));
    }
}
