//! Namespaces of one level and of several.

use std::collections::HashMap;

use iceberg::{NamespaceIdent, TableIdent};
use sqe_iceberg::ErrorKind;

use super::{Suite, check_error};

impl Suite<'_> {
    pub(super) async fn namespaces(&self) {
        let (catalog, a, b) = (self.catalog, self.namespace("b"), self.namespace("a"));
        let name = a[0].as_str();
        check_error(catalog.namespace_properties(&a).await, ErrorKind::NotFound, name);
        check_error(catalog.drop_namespace(&a).await, ErrorKind::NotFound, name);
        check_error(catalog.list_tables(&a).await, ErrorKind::NotFound, name);
        check_error(catalog.list_views(&a).await, ErrorKind::NotFound, name);

        let owner = HashMap::from([("owner".to_owned(), "it's \"me\"".to_owned())]);
        catalog.create_namespace(&a, owner.clone()).await.unwrap();
        catalog.create_namespace(&b, HashMap::new()).await.unwrap();
        let again = catalog.create_namespace(&a, HashMap::new()).await;
        check_error(again, ErrorKind::AlreadyExists, name);
        let properties = catalog.namespace_properties(&a).await.unwrap();
        assert_eq!(properties.get("owner"), owner.get("owner"));
        assert_eq!(catalog.namespace_properties(&b).await.unwrap().get("owner"), None);
        assert!(catalog.list_tables(&a).await.unwrap().is_empty());
        assert!(catalog.list_views(&a).await.unwrap().is_empty());

        let mut listed = catalog.list_namespaces().await.unwrap();
        assert!(listed.is_sorted());
        listed.retain(|namespace| *namespace == a || *namespace == b);
        assert_eq!(listed, [b.clone(), a.clone()]);

        catalog.drop_namespace(&a).await.unwrap();
        catalog.drop_namespace(&b).await.unwrap();
        check_error(catalog.drop_namespace(&a).await, ErrorKind::NotFound, name);
        assert!(!catalog.list_namespaces().await.unwrap().contains(&a));
    }

    pub(super) async fn nested_namespaces(&self) {
        let catalog = self.catalog;
        let levels = ["outer", "outer.inner", "outer.inner.leaf"].map(|text| self.namespace(text));
        for level in &levels {
            catalog.create_namespace(level, HashMap::new()).await.unwrap();
        }
        let other = self.create_namespace("outer2").await;
        let listed = catalog.list_namespaces().await.unwrap();
        let is_below = |namespace: &&NamespaceIdent| namespace[0] == levels[0][0];
        let below: Vec<_> = listed.iter().filter(is_below).collect();
        assert_eq!(below, levels.iter().collect::<Vec<_>>());

        let t = TableIdent::new(levels[1].clone(), "t".to_owned());
        self.create(&t).await;
        assert!(catalog.list_tables(&levels[0]).await.unwrap().is_empty());
        assert_eq!(catalog.list_tables(&levels[1]).await.unwrap(), ["t"]);
        let above = TableIdent::new(levels[0].clone(), "t".to_owned());
        check_error(catalog.load_table(&above).await, ErrorKind::NotFound, "outer.t");
        let full = catalog.drop_namespace(&levels[1]).await;
        check_error(full, ErrorKind::InvalidArgument, "outer.inner");
        if self.habits.guards_parents {
            let parent = catalog.drop_namespace(&levels[0]).await;
            check_error(parent, ErrorKind::InvalidArgument, "outer");
        }

        catalog.drop_table(&t).await.unwrap();
        for level in levels.iter().rev() {
            catalog.drop_namespace(level).await.unwrap();
        }
        assert!(catalog.list_namespaces().await.unwrap().contains(&other));
        catalog.drop_namespace(&other).await.unwrap();
    }
}
