//! Where the nodes of a local grid stand: each at a site of its own, run by an operator of its own,
//! so that a pack's shards really lie in distinct failure domains (S3).

/// Site and country of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) site: String,
    pub(crate) country: acre_types::Country,
    /// The farm there, and the operator who owns it.
    pub(crate) farm: String,
}

const CITIES: [(&str, &str); 48] = [
    ("Gent", "BE"),
    ("Wien", "AT"),
    ("Zanzibar", "TZ"),
    ("Dubai", "AE"),
    ("Cairo", "EG"),
    ("Lisboa", "PT"),
    ("Torino", "IT"),
    ("Zürich", "CH"),
    ("Lyon", "FR"),
    ("Bremen", "DE"),
    ("Oslo", "NO"),
    ("Tartu", "EE"),
    ("Brno", "CZ"),
    ("Cork", "IE"),
    ("Leeds", "GB"),
    ("Delft", "NL"),
    ("Nairobi", "KE"),
    ("Accra", "GH"),
    ("Pune", "IN"),
    ("Cebu", "PH"),
    ("Osaka", "JP"),
    ("Quito", "EC"),
    ("Austin", "US"),
    ("Halifax", "CA"),
    ("Antwerpen", "BE"),
    ("Graz", "AT"),
    ("Arusha", "TZ"),
    ("Sharjah", "AE"),
    ("Alexandria", "EG"),
    ("Porto", "PT"),
    ("Bologna", "IT"),
    ("Basel", "CH"),
    ("Nantes", "FR"),
    ("Leipzig", "DE"),
    ("Bergen", "NO"),
    ("Tallinn", "EE"),
    ("Ostrava", "CZ"),
    ("Galway", "IE"),
    ("York", "GB"),
    ("Utrecht", "NL"),
    ("Mombasa", "KE"),
    ("Kumasi", "GH"),
    ("Kochi", "IN"),
    ("Davao", "PH"),
    ("Sendai", "JP"),
    ("Cuenca", "EC"),
    ("Boise", "US"),
    ("Quebec", "CA"),
];

/// The place of the node with this number, counted from 0.
pub(crate) fn place(number: usize) -> Place {
    let (city, country) = CITIES[number % CITIES.len()];
    let round = number / CITIES.len();
    let site = if round == 0 { city.to_owned() } else { format!("{city}-{}", round + 1) };
    Place {
        farm: format!("{site} farm"),
        country: country.parse().expect("the table holds country codes"),
        site,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_node_has_a_site_and_an_operator_of_its_own() {
        let places: Vec<Place> = (0..200).map(place).collect();
        let sites: BTreeSet<_> = places.iter().map(|place| &place.site).collect();
        let farms: BTreeSet<_> = places.iter().map(|place| &place.farm).collect();
        assert_eq!((sites.len(), farms.len()), (200, 200));
        let countries: BTreeSet<_> = places[..24].iter().map(|place| place.country).collect();
        assert!(countries.len() >= 12);
    }
}
