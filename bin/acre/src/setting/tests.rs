//! Settings as they are written, and the bounds that the ledger gives them.

use super::*;

#[test]
fn every_setting_is_read_as_it_is_written() {
    let present = Parameters::default();
    for setting in ALL {
        let mut again = present.clone();
        let value = setting.value(&present);
        let value = value.trim_end_matches(" permille").trim_end_matches(" percent");
        assert!(setting.set(&mut again, value).is_some(), "{} = {value}", setting.name);
        assert_eq!(again, present, "{}", setting.name);
        assert!(amendment(setting.group(), &present).is_some(), "{}", setting.name);
    }
}

#[test]
fn bounds_are_those_of_the_ledger() {
    let check = |name: &str, kind, wanted: &str| {
        let setting = ALL.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!(setting.bounds(&Parameters::default(), kind).unwrap(), wanted);
    };
    check("governance.majority", GridKind::Test, "from 500 permille to 800 permille");
    check("governance.voting_ms", GridKind::Test, "from 1s to 90d");
    check("governance.voting_ms", GridKind::Live, "from 1d to 90d");
    check("seats.seats_max", GridKind::Live, "from 1 to 96");
    check("contracts.overcommit", GridKind::Live, "from 0 to 16");
}

#[test]
fn wrong_settings_say_what_is_wrong() {
    let check = |settings: &[&str], part: &str| {
        let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
        let error = apply(&Parameters::default(), &settings, GridKind::Live).err().unwrap();
        assert_eq!(crate::exit::code_of(&error), Code::Usage);
        assert!(error.to_string().contains(part), "{error}");
    };
    check(&["fees"], "not SETTING=VALUE");
    check(&["fees.bite=1"], "no setting 'fees.bite'");
    check(&["fees.byte=lots"], "an amount of TFT");
    check(&["governance.majority=900"], "from 500 permille to 800 permille");
    check(&["governance.voting_ms=1h"], "from 1d to 90d");
    check(&["seats.by=luck"], "fixed, stake:TFT or capacity:UNITS");
    check(&["grace.percent=300"], "whole number of hundredths");
}

#[test]
fn settings_of_one_group_make_one_amendment() {
    let settings = ["seats.by=stake:5".to_owned(), "seats.seats_max=7".to_owned()];
    let (changed, groups) = apply(&Parameters::default(), &settings, GridKind::Live).unwrap();
    assert_eq!(groups, ["seats"]);
    assert_eq!(changed.seats.by, SeatsBy::Stake { min: Amount::tft(5).unwrap() });
    assert_eq!(changed.seats.seats_max, 7);
}

#[test]
fn times_are_read_in_the_usual_units() {
    for (text, ms) in [("90", 90), ("90ms", 90), ("2s", 2_000), ("3min", 180_000)] {
        assert_eq!(read_span(text), Some(ms), "{text}");
    }
    assert_eq!(read_span("7d").map(span).as_deref(), Some("7d"));
    for text in ["", "s", "1.5s", "-1", "1y", "99999999999999999999"] {
        assert_eq!(read_span(text), None, "{text}");
    }
}

/// One that differs from the usual in all that is no single number.
fn unusual() -> Parameters {
    let settings = [
        "prices.formula=1/2,3/4,5/6;7",
        "prices.commitments=30d:5,1000h:10,90d:90",
        &format!("prices.token=feeds:{},{}/2", "1".repeat(64), "2".repeat(64)),
        "prices.feeds.fresh_ms=3h",
        "prices.feeds.step_permille=500",
        "prices.feeds.step_ms=1h",
        "prices.feeds.start=0.05",
        "prices.feeds.least=0.01",
        "prices.feeds.most=7",
        "prices.split.burn_percent=3",
        &format!("prices.split.fund={}", "3".repeat(64)),
        "prices.split.fund_percent=4",
        "capacity.independence=site",
        "minting.policies=standard;seed2017;village:cu=3,su=0.5,certified=150,up=900/950,\
         cu_max=2.5,su_max=1,budget=1000,least=gold,closes_ms=7,last_period=9;\
         gift:per=1TiB,grant=10,months=3,yearly=0.5",
    ];
    let settings = settings.map(ToOwned::to_owned);
    apply(&Parameters::default(), &settings, GridKind::Test).unwrap().0
}

#[test]
fn settings_that_are_no_numbers_are_read_as_they_are_written() {
    let wanted = unusual();
    let mut again = Parameters::default();
    for setting in ALL {
        let value = setting.value(&wanted);
        let value = value.trim_end_matches(" permille").trim_end_matches(" percent");
        assert!(setting.set(&mut again, value).is_some(), "{} = {value}", setting.name);
    }
    assert_eq!(again, wanted);
    let value =
        |name: &str| ALL.iter().find(|setting| setting.name == name).unwrap().value(&wanted);
    assert_eq!(value("prices.formula"), "1/2,3/4,5/6;7");
    assert_eq!(value("prices.commitments"), "30d:5,1000h:10,90d:90");
    let village = "village:cu=3,idle_cu=0.12,su=0.5,nu=0.03,ipv4=0.005,certified=150,up=900/950,cu_max=2.5,\
                   su_max=1,budget=1000,least=gold,closes_ms=7,last_period=9";
    assert!(value("minting.policies").contains(village), "{}", value("minting.policies"));
}

#[test]
fn settings_that_are_no_numbers_have_the_bounds_of_the_ledger() {
    let check = |settings: &[&str], part: &str| {
        let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
        let error = apply(&Parameters::default(), &settings, GridKind::Live).err().unwrap();
        assert_eq!(crate::exit::code_of(&error), Code::Usage);
        assert!(error.to_string().contains(part), "{error}");
    };
    check(&["prices.formula=0/2,8/1,2/4;200"], "prices.formula is out of range");
    check(&["prices.formula=4/2,8/1;200"], "as 4/2,8/1,2/4;200");
    check(&["prices.commitments=90d:30,45d:20"], "both rising");
    check(&["prices.commitments=45d:91"], "at most 90 percent");
    check(&["prices.token=feeds:nobody/1"], "feeds:ACCOUNT");
    let one = "1".repeat(64);
    check(&[&format!("prices.token=feeds:{one}/2")], "prices.token is out of range");
    check(&["prices.feeds.fresh_ms=1h"], "the price of a token is fixed here");
    check(&["prices.split.burn_percent=41"], "prices.split is out of range");
    check(&["prices.split.fund_percent=1"], "prices.split is out of range");
    check(&["prices.split.fund=somebody"], "nobody, or ACCOUNT");
    check(&["capacity.independence=none"], "operator, site or node");
    check(&["minting.policies=standard;unheard"], "NAME;NAME:KEY=VALUE");
    check(&["minting.policies=standard;much:cu=lots"], "NAME;NAME:KEY=VALUE");
    check(&["minting.policies=standard;often:up=1001/990"], "minting.policies is out of range");
    let unusual = unusual();
    let step = ALL.iter().find(|setting| setting.name == "prices.feeds.step_permille").unwrap();
    assert_eq!(step.bounds(&unusual, GridKind::Test).unwrap(), "from 1 permille to 500 permille");
    assert_eq!(step.bounds(&Parameters::default(), GridKind::Test), None);
}
