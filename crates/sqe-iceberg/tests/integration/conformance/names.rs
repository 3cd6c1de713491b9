//! Names that mean something in paths, addresses or SQL.

use std::collections::HashMap;

use iceberg::{NamespaceIdent, TableIdent};

use super::{Suite, assert_same, change, set_property};

impl Suite<'_> {
    pub(super) async fn odd_names(&self) {
        let (catalog, names) = (self.catalog, self.habits.names);
        let space = NamespaceIdent::new(format!("{} odd '%20' näme", self.run));
        catalog.create_namespace(&space, HashMap::new()).await.unwrap();
        for name in names {
            let ident = TableIdent::new(space.clone(), (*name).to_owned());
            let created = self.create(&ident).await;
            let loaded = catalog.load_table(&ident).await.unwrap();
            assert_same(&loaded.metadata, &created.metadata);
            assert!(catalog.table_exists(&ident).await.unwrap());
            catalog.commit(change(&ident, vec![], set_property("a", "1"))).await.unwrap();
        }
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        assert_eq!(catalog.list_tables(&space).await.unwrap(), sorted);
        self.drop_all(&space, names).await;
    }
}
